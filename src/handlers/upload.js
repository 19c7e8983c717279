// Uploads files and folders that are chosen or dropped, one after the other. Without this the form uploads the chosen files by itself.
(() => {
  const form = document.querySelector(".upload");
  const [label, input, button] = ["label", "input", "button"].map((name) => form.querySelector(name));
  const bar = document.createElement("progress");
  const status = document.createElement("p");
  status.setAttribute("role", "status");
  label.firstChild.data = "Add files, or drop files and folders here ";
  button.type = "button";
  button.textContent = "Cancel";
  bar.hidden = button.hidden = true;
  form.append(bar, button, status);
  let request, isCancelled;

  // Sends one file, and returns why it could not be stored.
  const put = (file, path, progress) => new Promise((resolve) => {
    request = new XMLHttpRequest();
    request.open("PUT", path.split("/").map(encodeURIComponent).join("/").replace(/^/, "./"));
    request.upload.onprogress = (event) => progress(event.loaded);
    request.onload = () => {
      const reason = request.responseText.trim().replace(/^\d+ [^:]*: /, "");
      resolve(request.status < 300 ? "" : reason || `status ${request.status}`);
    };
    request.onerror = () => resolve("the connection broke, or the server refused the file");
    request.onabort = () => resolve("cancelled");
    request.send(file);
  });

  const upload = async (files) => {
    if (!files.length || request) return;
    const total = files.reduce((sum, { file }) => sum + file.size, 0);
    const problems = [];
    let sent = 0, stored = 0;
    isCancelled = false;
    bar.hidden = button.hidden = false;
    input.disabled = true;
    for (const [at, { file, path }] of files.entries()) {
      if (isCancelled) break;
      const show = (loaded) => {
        bar.value = total ? (sent + loaded) / total : at / files.length;
        status.textContent = `${at + 1} of ${files.length}: ${path}, ${Math.round(bar.value * 100)} %`;
      };
      show(0);
      const problem = await put(file, path, show);
      if (problem) problems.push(`${path}: ${problem}`);
      else stored += 1;
      sent += file.size;
    }
    request = undefined;
    if (!problems.length && !isCancelled) return location.reload();
    bar.hidden = button.hidden = true;
    input.disabled = false;
    input.value = "";
    status.textContent = `${problems.join("\n")}\n${stored} of ${files.length} uploaded. `;
    if (!stored) return;
    const link = document.createElement("a");
    link.href = "";
    link.textContent = "Show them";
    status.append(link);
  };

  // Returns the files of a dropped entry, those of a folder with their paths in it.
  const filesOf = async (entry, before = "") => {
    const path = before + entry.name;
    if (entry.isFile) return [{ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path }];
    const reader = entry.createReader();
    const found = [];
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!some.length) return found;
      for (const inner of some) found.push(...await filesOf(inner, `${path}/`));
    }
  };

  input.addEventListener("change", () => upload([...input.files].map((file) => ({ file, path: file.name }))));
  form.addEventListener("submit", (event) => event.preventDefault());
  button.addEventListener("click", () => {
    isCancelled = true;
    request?.abort();
  });
  addEventListener("beforeunload", (event) => request && event.preventDefault());
  addEventListener("dragover", (event) => {
    event.preventDefault();
    form.classList.add("over");
  });
  addEventListener("dragleave", (event) => event.relatedTarget ?? form.classList.remove("over"));
  addEventListener("drop", async (event) => {
    event.preventDefault();
    form.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    try {
      await upload((await Promise.all(entries.map((entry) => filesOf(entry)))).flat());
    } catch (error) {
      status.textContent = `The folder cannot be read: ${error.message}`;
    }
  });
})();
