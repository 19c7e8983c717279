//! Is an upload stored whole or not at all, whatever happens meanwhile?
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use process::{Client, Log, PATIENCE, Process, Scratch, command};

/// A directory `root` with `in/old.txt` in it, and a server of it.
struct Served {
    scratch: Scratch,
    process: Process,
}

impl Served {
    fn start(options: &[&str]) -> Served {
        let scratch = Scratch::new();
        fs::create_dir_all(scratch.path().join("root/in")).unwrap();
        scratch.file("root/in/old.txt", "old");
        let process = start(&scratch, options);
        Served { scratch, process }
    }

    fn path(&self, beneath: &str) -> PathBuf {
        self.scratch.path().join("root").join(beneath)
    }

    /// The names in `in`, hidden ones as well.
    fn names(&self) -> Vec<String> {
        names(&self.path("in"))
    }

    #[track_caller]
    fn is_as_before(&self, why: &str) {
        assert_eq!(self.names(), ["old.txt"], "{why}");
        assert_eq!(fs::read_to_string(self.path("in/old.txt")).unwrap(), "old", "{why}");
    }
}

fn start(scratch: &Scratch, options: &[&str]) -> Process {
    let root = scratch.path().join("root");
    Process::start(&[options, &[root.to_str().unwrap()]].concat())
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A PUT that waits for 100 Continue.
fn put_head(target: &str, length: usize) -> String {
    format!("PUT {target} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n")
}

/// Begins a PUT, and waits until the server has accepted it.
fn begin_put(process: &Process, target: &str, length: usize) -> Client {
    let mut client = process.client();
    client.send(put_head(target, length).as_bytes());
    assert_eq!(client.head(), "HTTP/1.1 100 Continue");
    client
}

/// One PUT of a text.
fn put(process: &Process, target: &str, content: &str) -> u16 {
    let mut client = process.client();
    client.send(
        format!("PUT {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{content}", content.len()).as_bytes(),
    );
    client.answer().status
}

fn form(target: &str, parts: &[(&str, &str)], end: &str) -> String {
    let part = |(name, content): &(&str, &str)| {
        format!("--B\r\nContent-Disposition: form-data; name=f; filename=\"{name}\"\r\n\r\n{content}\r\n")
    };
    let body = parts.iter().map(part).collect::<String>() + end;
    let head = "Host: localhost\r\nContent-Type: multipart/form-data; boundary=B\r\n";
    format!("POST {target} HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn an_upload_that_is_cut_anywhere_changes_nothing() {
    let served = Served::start(&["--upload", "--overwrite"]);
    let put = "PUT /in/old.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\n\r\nnew contents".to_owned();
    let chunked =
        "PUT /in/old.txt HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnew\r\n1;x=y\r\n!\r\n0\r\n\r\n";
    let form = form("/in/", &[("old.txt", "new"), ("new.txt", "new")], "--B--\r\n");
    for request in [&put, chunked, &form] {
        for length in 0..request.len() {
            let mut client = served.process.client();
            client.send(&request.as_bytes()[..length]);
            client.stream.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
            let received = String::from_utf8(client.rest()).unwrap();
            assert!(length == 0 || received.starts_with("HTTP/1.1 400"), "{length} bytes of {request:?}: {received}");
            served.is_as_before(&format!("{length} bytes of {request:?}"));
        }
        let mut client = served.process.client();
        client.send(request.as_bytes());
        assert!((200..300).contains(&client.answer().status), "all of {request:?}");
        assert!(fs::read_to_string(served.path("in/old.txt")).unwrap().starts_with("new"));
        served.scratch.file("root/in/old.txt", "old");
        let _ = fs::remove_file(served.path("in/new.txt"));
    }
}

#[test]
fn a_killed_server_leaves_the_old_file_and_no_part_of_a_new_one() {
    let mut served = Served::start(&["--upload", "--overwrite", "--hidden"]);
    let mut client = begin_put(&served.process, "/in/old.txt", 100_000);
    client.send(&[b'x'; 50_000]);
    served.process.signal(rustix::process::Signal::KILL);
    served.process.wait(PATIENCE);
    assert_eq!(fs::read_to_string(served.path("in/old.txt")).unwrap(), "old");

    // A form needs names for its files before it is complete, but hidden ones.
    served.process = start(&served.scratch, &["--upload", "--overwrite", "--hidden"]);
    let request = form("/in/", &[("old.txt", "new"), ("new.txt", "new")], "--B--\r\n");
    let mut client = served.process.client();
    client.send(&request.as_bytes()[..request.len() - 10]);
    served.process.wait_until("the first file is complete", |_| served.names().len() > 1);
    served.process.signal(rustix::process::Signal::KILL);
    served.process.wait(PATIENCE);
    let left: Vec<String> = served.names().into_iter().filter(|name| name != "old.txt").collect();
    assert!(left.iter().all(|name| name.starts_with(".threadbare-") && name.ends_with(".part")), "{left:?}");
    assert_eq!(fs::read_to_string(served.path("in/old.txt")).unwrap(), "old");

    served.process = start(&served.scratch, &["--upload", "--overwrite", "--hidden"]);
    for name in &left {
        assert_eq!(served.process.get(&format!("/in/{name}")).status, 404, "even with --hidden");
    }
    assert!(!served.process.get("/in/").text().contains(".threadbare"), "nor is it listed");
    assert_eq!(put(&served.process, "/in/new.txt", "new"), 201);
    assert_eq!(served.names(), ["new.txt", "old.txt"], "the next upload to the directory removes it");
}

#[test]
fn of_two_uploads_of_one_name_one_is_stored() {
    let served = Served::start(&["--upload"]);
    let mut clients = [begin_put(&served.process, "/in/new.txt", 3), begin_put(&served.process, "/in/new.txt", 3)];
    clients[1].send(b"two");
    assert_eq!(clients[1].answer().status, 201);
    clients[0].send(b"one");
    assert_eq!(clients[0].answer().status, 409);
    assert_eq!(fs::read_to_string(served.path("in/new.txt")).unwrap(), "two");

    // And at the same time.
    for round in 0..20 {
        let target = format!("/in/{round}.txt");
        let mut clients: Vec<Client> = (0..4).map(|_| begin_put(&served.process, &target, 1)).collect();
        let mut statuses: Vec<u16> = thread::scope(|scope| {
            let threads: Vec<_> = clients
                .iter_mut()
                .enumerate()
                .map(|(number, client)| {
                    scope.spawn(move || {
                        client.send(number.to_string().as_bytes());
                        client.answer().status
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409], "{target}");
    }
}

#[test]
fn a_lost_update_is_noticed_when_the_file_would_appear() {
    let served = Served::start(&["--upload", "--overwrite"]);
    let file = fs::File::options().write(true).open(served.path("in/old.txt")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).unwrap();
    let etag = served.process.get("/in/old.txt").field("ETag").unwrap().to_owned();
    let head = put_head("/in/old.txt", 3).replace("Expect", &format!("If-Match: {etag}\r\nExpect"));
    let mut clients: Vec<Client> = (0..2)
        .map(|_| {
            let mut client = served.process.client();
            client.send(head.as_bytes());
            assert_eq!(client.head(), "HTTP/1.1 100 Continue", "the condition is true as yet");
            client
        })
        .collect();
    let statuses: Vec<u16> = clients
        .iter_mut()
        .zip([b"one", b"two"])
        .map(|(client, content)| {
            client.send(content);
            client.answer().status
        })
        .collect();
    assert_eq!(statuses, [204, 412]);
    assert_eq!(fs::read_to_string(served.path("in/old.txt")).unwrap(), "one");
}

#[test]
fn more_uploads_than_64_at_once_are_asked_to_wait() {
    let served = Served::start(&["--upload"]);
    let mut clients: Vec<Client> = (0..64).map(|number| begin_put(&served.process, &format!("/in/{number}"), 1)).collect();
    let mut refused = served.process.client();
    refused.send(put_head("/in/64", 1).as_bytes());
    let answer = refused.answer();
    assert_eq!((answer.status, answer.field("Retry-After")), (503, Some("1")));
    let mut last = clients.pop().unwrap();
    last.send(b"x");
    assert_eq!(last.answer().status, 201);
    drop(clients.pop());
    served.process.wait_until("an upload that was broken off makes room", |process| put(process, "/in/64", "x") != 503);
    assert_eq!(fs::read_to_string(served.path("in/64")).unwrap(), "x");
}

#[test]
fn nothing_is_uploaded_to_another_root_than_that_of_the_start() {
    let served = Served::start(&["--upload"]);
    let mut begun = begin_put(&served.process, "/in/begun", 1);
    fs::rename(served.path(""), served.scratch.path().join("before")).unwrap();
    fs::create_dir_all(served.path("in")).unwrap();
    assert_eq!(put(&served.process, "/in/new.txt", "new"), 503);
    begun.send(b"x");
    assert_eq!(begun.answer().status, 503, "nor one that had begun before");
    assert_eq!(names(&served.path("in")), [""; 0]);
    fs::remove_dir_all(served.path("")).unwrap();
    fs::rename(served.scratch.path().join("before"), served.path("")).unwrap();
    assert_eq!(put(&served.process, "/in/new.txt", "new"), 201, "it is back");
    assert_eq!(served.names(), ["new.txt", "old.txt"]);
}

#[test]
#[cfg(target_os = "linux")]
fn links_that_appear_during_uploads_lead_nowhere() {
    let served = Served::start(&["--upload=/in", "--sandbox", "off"]);
    let outside = served.scratch.path().join("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::create_dir_all(served.path("in/d")).unwrap();
    let (directory, link) = (served.path("in/d"), served.path("link"));
    std::os::unix::fs::symlink(&outside, &link).unwrap();
    let stop = AtomicBool::new(false);
    let mut statuses = [0; 3];
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                use rustix::fs::{CWD, RenameFlags, renameat_with};
                renameat_with(CWD, &directory, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
        });
        for number in 0..300 {
            match put(&served.process, &format!("/in/d/{number}"), "x") {
                201 => statuses[0] += 1,
                409 => statuses[1] += 1,
                status => panic!("{status}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(names(&outside), [""; 0], "{statuses:?}");
}

/// A small file system, unmounted with the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<SmallDisk> {
        fs::create_dir_all(at).unwrap();
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at).output();
        status.is_ok_and(|output| output.status.success()).then(|| SmallDisk(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_507_and_the_old_file_stays() {
    let scratch = Scratch::new();
    let Some(_disk) = SmallDisk::mount(&scratch.path().join("root")) else {
        eprintln!("SKIPPED: a small tmpfs cannot be mounted here, which takes root");
        return;
    };
    fs::create_dir(scratch.path().join("root/in")).unwrap();
    scratch.file("root/in/old.txt", "old");
    let served = Served { process: start(&scratch, &["--upload", "--overwrite"]), scratch };
    let mut client = served.process.client();
    client.send(put_head("/in/old.txt", 2 << 20).as_bytes());
    assert_eq!(client.answer().status, 507, "before the content is sent");
    served.is_as_before("announced");
    let mut client = served.process.client();
    client.send(b"PUT /in/old.txt HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 100 Continue");
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    // It answers before all is sent, and closes at last.
    while client.stream.get_mut().write_all(&chunk).is_ok() {}
    let received = client.rest();
    assert!(received.starts_with(b"HTTP/1.1 507") || received.is_empty(), "{}", received.escape_ascii());
    served.process.wait_until("nothing is left", |_| served.names() == ["old.txt"]);
    served.is_as_before("found out while writing");
    assert_eq!(put(&served.process, "/in/new.txt", "new"), 201, "there is space again");
}

fn run(program: &str, args: &[&str], input: Option<&[u8]>) -> Option<Output> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.unwrap_or_default()).unwrap();
    drop(stdin);
    Some(child.wait_with_output().unwrap())
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn curl_uploads_files_and_forms() {
    let served = Served::start(&["--upload"]);
    let mebibytes = "0123456789abcdef".repeat(3 << 16);
    let (large, small) = (served.scratch.file("large.bin", &mebibytes), served.scratch.file("a b\"c.txt", "small"));
    let url = |path: &str| format!("http://{}{path}", served.process.address);
    let status = ["-s", "-o", "/dev/null", "-w", "%{http_code} %{size_upload}"];
    let curl = |args: &[&str], input| run("curl", &[&status[..], args].concat(), input);
    let Some(output) = curl(&["-T", large.to_str().unwrap(), &url("/in/")], None) else {
        eprintln!("SKIPPED: curl is missing");
        return;
    };
    assert_eq!(said(&output), "201 3145728", "curl -T, which waits for 100 Continue");
    assert_eq!(fs::read_to_string(served.path("in/large.bin")).unwrap(), mebibytes);
    let output = curl(&["-T", large.to_str().unwrap(), &url("/in/")], None).unwrap();
    assert_eq!(said(&output), "409 0", "and sends nothing in vain");
    assert!(said(&curl(&["-T", "-", &url("/in/piped")], Some(b"piped")).unwrap()).starts_with("201 "), "in chunks");
    assert_eq!(fs::read_to_string(served.path("in/piped")).unwrap(), "piped");
    let (first, second) =
        (format!("a=@{}", large.display()), format!("b=@\"{}\"", small.display().to_string().replace('"', "\\\"")));
    let output = run("curl", &["-s", "-F", &first, "-F", &second, "-F", "c=d", &url("/in/new/")], None).unwrap();
    let want = "{\"files\":[{\"name\":\"large.bin\",\"href\":\"./large.bin\",\"size\":3145728},\
                {\"name\":\"a b\\\"c.txt\",\"href\":\"./a%20b%22c.txt\",\"size\":5}]}\n";
    assert_eq!(said(&output), want, "curl -F");
    assert_eq!(fs::read_to_string(served.path("in/new/large.bin")).unwrap(), mebibytes);
}

#[test]
fn python_uploads_files_and_forms() {
    let served = Served::start(&["--upload", "--overwrite"]);
    let script = format!(
        "import io, requests\n\
         url = 'http://{}/in/'\n\
         put = requests.put(url + 'new.txt', data=io.BytesIO(b'x' * 100000))\n\
         again = requests.put(url + 'new.txt', data=iter([b'a', b'b']))\n\
         files = {{'file': ('\u{fc} \"1\".txt', io.BytesIO(b'new'))}}\n\
         form = requests.post(url, files=files, data={{'a': 'b'}})\n\
         print(put.status_code, put.headers['Location'], again.status_code, form.status_code, form.json()['files'])\n",
        served.process.address
    );
    let has_requests = run("python3", &["-c", "import requests"], None).is_some_and(|output| output.status.success());
    if !has_requests {
        eprintln!("SKIPPED: python3 with requests is missing");
        return;
    }
    let output = said(&run("python3", &["-"], Some(script.as_bytes())).unwrap());
    let want = "201 ./new.txt 204 201 [{'name': '\u{fc} \"1\".txt', 'href': './%C3%BC%20%221%22.txt', 'size': 3}]\n";
    assert_eq!(output, want);
    assert_eq!(fs::read_to_string(served.path("in/new.txt")).unwrap(), "ab");
}

#[test]
fn umask_decides_who_may_read_an_upload() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join("in")).unwrap();
    let server = command(&["--upload"], &scratch);
    let words: Vec<&OsStr> = [server.get_program()].into_iter().chain(server.get_args()).collect();
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 027; exec \"$0\" \"$@\""]).args(words);
    let process = Process::of(shell, Log::Read);
    assert_eq!(put(&process, "/in/d/new.txt", "new"), 201);
    let mode = |path: &str| fs::metadata(scratch.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("in/d"), mode("in/d/new.txt")), (0o750, 0o640));
}

#[test]
#[cfg(target_os = "linux")]
fn two_gibibytes_need_little_memory() {
    let (place, length) = (Path::new("/dev/shm"), 2_u64 << 30);
    let free = rustix::fs::statvfs(place).map_or(0, |stat| stat.f_bavail * stat.f_frsize);
    if free < 2 * length {
        eprintln!("SKIPPED: /dev/shm has no space for a file of 2 GiB");
        return;
    }
    let root = place.join(format!("threadbare-large-{}", std::process::id()));
    fs::create_dir_all(&root).unwrap();
    let process = Process::start(&[OsStr::new("--upload"), root.as_os_str()]);
    let mut client = begin_put(&process, "/large.bin", length.try_into().unwrap());
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..length >> 20 {
        client.send(&piece);
    }
    assert_eq!(client.answer().status, 201);
    let (stored, kibibytes) = (fs::metadata(root.join("large.bin")).unwrap().len(), process.status_number("VmHWM"));
    fs::remove_dir_all(&root).unwrap();
    assert_eq!(stored, length);
    assert!(kibibytes < 32 * 1024, "{kibibytes} KiB");
}
