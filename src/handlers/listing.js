// Times in the time zone of the reader, and a box that filters the names. Without this the page has times in UTC and lacks the box.
(() => {
  for (const time of document.querySelectorAll("time")) {
    const date = new Date(time.dateTime);
    const local = new Date(date - date.getTimezoneOffset() * 60_000).toISOString();
    time.firstChild.data = local.slice(0, 10);
    time.lastChild.textContent = ` ${local.slice(11, 16)}`;
  }
  document.querySelector("thead span").remove();
  const bar = document.querySelector(".bar");
  if (!bar) return;
  const rows = [...document.querySelectorAll("tbody tr:not(.up)")];
  const plain = (text) => text.normalize("NFKC").toLowerCase();
  const names = rows.map((row) => plain(row.querySelector("a").textContent));
  const label = document.createElement("label");
  const box = document.createElement("input");
  const count = document.createElement("output");
  box.type = "search";
  box.autocomplete = "off";
  box.spellcheck = false;
  let first;
  const filter = () => {
    const words = plain(box.value).split(/\s+/).filter(Boolean);
    const matching = rows.filter((row, at) => {
      const matches = words.every((word) => names[at].includes(word));
      row.toggleAttribute("hidden", !matches);
      return matches;
    });
    first = words.length ? matching[0] : undefined;
    count.textContent = words.length ? `${matching.length} of ${rows.length}` : "";
  };
  box.addEventListener("input", filter);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter") first?.querySelector("a").click();
    if (event.key !== "Escape") return;
    box.value = "";
    filter();
  });
  label.append("Filter", box);
  bar.append(count, label);
})();
