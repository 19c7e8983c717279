//! A network namespace in which the kernel buffers little of a response.
//!
//! On plain loopback a packet has 64 KiB and the kernel buffers megabytes, so the server has finished a response long before a slow client
//! has read it. Inside, packets have 1,500 bytes, as in Ethernet, and a connection buffers at most 64 KiB.

use std::process::{Command, Stdio};

/// The option for a process inside the namespace.
pub const INSIDE: &str = "--inside-namespace";

const SETUP: &str = "ip link set lo up mtu 1500 && cd /proc/sys/net/ipv4 &&
    echo 4096 16384 65536 > tcp_wmem && echo 4096 16384 65536 > tcp_rmem && cd \"$OLDPWD\"";

/// Runs one attack in a new namespace, and returns whether its promises held, or `None` if no namespace can be created.
pub fn run(attack: &str, quick: bool) -> Option<bool> {
    // Root needs no user namespace; other users do.
    [&["--net"][..], &["--net", "--map-root-user"]].into_iter().find_map(|flags| {
        let inside = |script: &str| {
            let mut command = Command::new("unshare");
            command.args(flags).args(["sh", "-c", script]).arg(std::env::current_exe().unwrap());
            command
        };
        let probe = inside(SETUP).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !probe.is_ok_and(|status| status.success()) {
            return None;
        }
        let mut command = inside(&format!("{SETUP} && exec \"$0\" \"$@\""));
        command.args([INSIDE, "--only", attack]).args(quick.then_some("--quick"));
        Some(command.status().unwrap().success())
    })
}
