//! One `beamway run` with its configuration, and the certificates.

use std::fmt::Write;
use std::fs;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitStatus;
use std::thread;
use std::time::Duration;
use std::time::SystemTime;

use beamway::internals::tls;
use nix::sched::CloneFlags;
use nix::sched::setns;
use nix::sys::signal::Signal;
use nix::unistd::gethostname;
use serde_json::Value;

use super::node::command_in;
use super::otp;
use super::ports::free_tcp_port;
use super::ports::free_udp_port;
use super::process::Process;
use super::process::until;

pub(crate) const BEAMWAY: &str = env!("CARGO_BIN_EXE_beamway");

/// A gateway listens within this, or has failed.
const START_TIME: Duration = Duration::from_secs(20);

/// A gateway told to end has ended within this.
const STOP_TIME: Duration = Duration::from_secs(10);

/// A certificate authority made for one test.
pub(crate) struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// `beamway certs init`.
    pub(crate) fn init(folder: PathBuf) -> Self {
        run(Command::new(BEAMWAY).args(["certs", "init", "--dir"]).arg(&folder));
        Self { folder }
    }

    /// `beamway certs issue NAME`, for nodes of 127.0.0.1; gives the folder of `ca.pem`, `cert.pem` and `key.pem`.
    pub(crate) fn issue(&self, name: &str) -> PathBuf {
        self.issue_for(name, &["127.0.0.1".to_owned()])
    }

    /// The same for nodes of these hosts, and for nodes named after this machine, as C nodes are.
    pub(crate) fn issue_for(&self, name: &str, hosts: &[String]) -> PathBuf {
        let machine = gethostname().ok().and_then(|machine| machine.into_string().ok());
        let mut command = Command::new(BEAMWAY);
        command.args(["certs", "issue", "--dir"]).arg(&self.folder);
        for host in hosts.iter().cloned().chain(machine) {
            command.arg("--host").arg(host);
        }
        run(command.arg(name));
        let made = self.folder.join(name);
        for file in ["ca.pem", "cert.pem", "key.pem"] {
            assert!(
                made.join(file).is_file(),
                "beamway certs issue {name} made no {file} in {}",
                made.display()
            );
        }
        made
    }

    /// Gives a daemon another certificate, for nodes of 127.0.0.1, valid from that time on for so many days, in the folder that it has.
    pub(crate) fn renew(&self, name: &str, from: SystemTime, days: u32) {
        let issued = self
            .authority()
            .issue_with_hosts(name, &["127.0.0.1".to_owned()], days, from);
        let issued = issued.expect("a name and a period");
        let folder = self.folder.join(name);
        // Both change at once for whoever looks in between: the key first would not fit the certificate.
        for (file, text) in [("cert.pem", &issued.certificate_pem), ("key.pem", &issued.key_pem)] {
            let new = folder.join(format!("new-{file}"));
            fs::write(&new, text).expect("room");
            fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).expect("an own file");
            fs::rename(new, folder.join(file)).expect("the same folder");
        }
    }

    /// The folder of the authority.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn authority(&self) -> tls::Authority {
        let read = |file: &str| fs::read(self.folder.join(file)).expect("a file that `beamway certs init` made");
        tls::Authority::from_pem(&read("ca.pem"), &read("ca-key.pem"), SystemTime::now()).expect("an authority")
    }

    /// A certificate of this authority that was good until yesterday.
    pub(crate) fn expired(&self, name: &str) -> tls::Issued {
        let then = SystemTime::now() - Duration::from_secs(48 * 60 * 60);
        self.authority().issue(name, 1, then).expect("a name and a period")
    }
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A host as the tests play it: where its gateway listens, and which host parts of node names mean it.
#[derive(Clone)]
pub(crate) struct Site {
    /// The daemon's name.
    pub(crate) name: String,
    /// Host parts that mean this machine; those by default if empty.
    pub(crate) hosts: Vec<String>,
    /// Hosts in the certificate, if not these.
    pub(crate) certified: Option<Vec<String>>,
    /// Addresses of the port mapper; those by default if empty.
    pub(crate) epmd: Vec<IpAddr>,
    pub(crate) epmd_port: u16,
    /// Address for peers.
    pub(crate) quic: SocketAddr,
    /// Where it listens for them, if not there.
    pub(crate) listen: Option<SocketAddr>,
    /// Where peers find it, if not there.
    pub(crate) seen_as: Option<SocketAddr>,
    /// More lines for the section `[gateway]`.
    pub(crate) settings: Vec<String>,
    /// Tables `[[discover]]` instead of a `[[peer]]` for each other site.
    pub(crate) discover: Option<String>,
    /// More lines for the section `[admin]`.
    pub(crate) admin: Vec<String>,
    /// The network namespace that everything of this site runs in.
    pub(crate) namespace: Option<String>,
}

impl Site {
    /// A site on 127.0.0.1 with a port mapper on its own port.
    pub(crate) fn loopback(name: &str) -> Self {
        Self::on_addresses(name, &[Ipv4Addr::LOCALHOST])
    }

    /// A site whose port mapper listens on each of these loopback addresses.
    pub(crate) fn on_addresses(name: &str, addresses: &[Ipv4Addr]) -> Self {
        let epmd: Vec<IpAddr> = addresses.iter().copied().map(IpAddr::V4).collect();
        let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            name: name.to_owned(),
            hosts: vec!["127.0.0.1".to_owned()],
            certified: None,
            epmd_port: free_tcp_port(&epmd),
            epmd,
            quic: SocketAddr::new(localhost, free_udp_port(localhost)),
            listen: None,
            seen_as: None,
            settings: Vec::new(),
            discover: None,
            admin: Vec::new(),
            namespace: None,
        }
    }

    pub(crate) fn setting(mut self, line: &str) -> Self {
        self.settings.push(line.to_owned());
        self
    }

    /// Its peers are found.
    pub(crate) fn discover(mut self, table: &str) -> Self {
        self.discover = Some(format!("[[discover]]\n{table}\n"));
        self
    }

    pub(crate) fn admin(mut self, line: &str) -> Self {
        self.admin.push(line.to_owned());
        self
    }

    pub(crate) fn config(&self, certs: &Path, peers: &[Self]) -> String {
        let mut text = String::new();
        let certs = certs.display();
        let epmd: Vec<String> = self
            .epmd
            .iter()
            .map(|address| SocketAddr::new(*address, self.epmd_port).to_string())
            .collect();
        let Self {
            name,
            quic,
            hosts,
            settings,
            ..
        } = self;
        let settings = settings.join("\n");
        let quic = self.listen.unwrap_or(*quic);
        writeln!(
            text,
            "[gateway]\nname = \"{name}\"\nlisten = \"{quic}\"\ncerts = \"{certs}\"\n{settings}\n"
        )
        .expect("a string takes everything");
        writeln!(text, "[admin]\nsocket = \"{name}.sock\"\n{}\n", self.admin.join("\n"))
            .expect("a string takes everything");
        writeln!(text, "[epmd]").expect("a string takes everything");
        if !epmd.is_empty() {
            writeln!(text, "listen = {epmd:?}").expect("a string takes everything");
        }
        if !hosts.is_empty() {
            writeln!(text, "hosts = {hosts:?}").expect("a string takes everything");
        }
        if let Some(discover) = &self.discover {
            text.push_str(discover);
            return text;
        }
        for peer in peers.iter().filter(|peer| peer.name != *name) {
            writeln!(
                text,
                "\n[[peer]]\nname = \"{}\"\naddress = \"{}\"",
                peer.name,
                peer.seen_as.unwrap_or(peer.quic)
            )
            .expect("a string takes everything");
        }
        text
    }
}

/// Whether a port mapper answers there, asked by the program of the site's release.
pub(super) fn epmd_answers(namespace: Option<&str>, site: usize, port: u16) -> bool {
    let mut command = command_in(namespace, "epmd");
    otp::choose(&mut command, site);
    command.args(["-port", &port.to_string(), "-names"]);
    command.output().is_ok_and(|output| output.status.success())
}

/// Does something on a thread that is in the network namespace, if there is one.
pub(crate) fn within<T: Send + 'static>(namespace: Option<&str>, what: impl FnOnce() -> T + Send + 'static) -> T {
    let space = namespace.map(|name| fs::File::open(Path::new("/run/netns").join(name)).expect("one of `ip netns`"));
    let thread = thread::spawn(move || {
        if let Some(space) = space {
            setns(space, CloneFlags::CLONE_NEWNET).expect("root may enter a namespace");
        }
        what()
    });
    thread.join().expect("no panic")
}

/// A gateway that runs, or ran and may be started again.
pub(crate) struct Gateway {
    /// The program that is run.
    program: PathBuf,
    site: Site,
    config: PathBuf,
    process: Option<Process>,
}

impl Gateway {
    /// Writes the configuration and starts the gateway; returns once it answers at its port mapper.
    pub(crate) fn start(site: Site, folder: &Path, certificates: &Certificates, sites: &[Site]) -> Self {
        let certs = certificates.issue_for(&site.name, site.certified.as_ref().unwrap_or(&site.hosts));
        let config = folder.join(format!("{}.toml", site.name));
        fs::write(&config, site.config(&certs, sites)).expect("a writable folder");
        let mut gateway = Self {
            program: PathBuf::from(BEAMWAY),
            site,
            config,
            process: None,
        };
        gateway.run();
        gateway
    }

    /// Starts it (again).
    pub(crate) fn run(&mut self) {
        assert!(self.process.is_none(), "gateway {} runs already", self.site.name);
        let program = self.program.to_str().expect("a path in UTF-8");
        let mut command = command_in(self.site.namespace.as_deref(), program);
        command
            .args(["run", "--log-level", "debug", "--config"])
            .arg(&self.config)
            .env_remove("RUST_LOG");
        let mut process = Process::spawn(format!("gateway {}", self.site.name), &mut command);
        let what = format!("gateway {} to listen on {}", self.site.name, self.site.epmd_port);
        until(START_TIME, &what, || {
            if let Some(status) = process.ended() {
                panic!("gateway {} ended at once with {status}", self.site.name);
            }
            self.listens()
        });
        self.process = Some(process);
    }

    fn listens(&self) -> bool {
        let namespace = self.site.namespace.as_deref();
        match self.site.epmd.first() {
            Some(ip) if namespace.is_none() => TcpStream::connect((*ip, self.site.epmd_port)).is_ok(),
            Some(_) => epmd_answers(namespace, 0, self.site.epmd_port),
            // The program `epmd` asks over IPv4.
            None => within(namespace, || TcpStream::connect((Ipv6Addr::LOCALHOST, 4369)).is_ok()),
        }
    }

    /// Another `beamway` is run from the next start on.
    pub(crate) fn set_program(&mut self, program: &Path) {
        program.clone_into(&mut self.program);
    }

    pub(crate) fn site(&self) -> &Site {
        &self.site
    }

    /// Its configuration file.
    pub(crate) fn config(&self) -> &Path {
        &self.config
    }

    /// A command for it, on its host: `beamway WORD --config FILE`.
    pub(crate) fn command(&self, word: &str) -> Command {
        let mut command = command_in(self.site.namespace.as_deref(), BEAMWAY);
        command.args([word, "--config"]).arg(&self.config);
        command
    }

    /// What it tells of itself: `beamway status --json`.
    pub(crate) fn status(&self) -> Value {
        let output = self.command("status").arg("--json").output().expect("a program");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gateway {}: {error}", self.site.name);
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// `beamway reload --json`.
    pub(crate) fn reload(&self) -> Value {
        let output = self.command("reload").arg("--json").output().expect("a program");
        let error = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("gateway {}: {error}", self.site.name))
    }

    pub(crate) fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("a gateway that runs")
    }

    /// SIGTERM, and waits for its end.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("a gateway that runs");
        process.signal(Signal::SIGTERM);
        process.wait(STOP_TIME)
    }

    /// The same; gives all it has printed.
    pub(crate) fn stop(&mut self) -> Vec<String> {
        let mut process = self.process.take().expect("a gateway that runs");
        process.signal(Signal::SIGTERM);
        let status = process.wait(STOP_TIME);
        assert!(status.success(), "gateway {} ended with {status}", self.site.name);
        process.log()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.take().expect("a gateway that runs").kill();
    }

    /// Fails the test if the gateway ended or panicked.
    pub(crate) fn assert_healthy(&mut self) {
        let name = self.site.name.clone();
        let process = self.process();
        if let Some(status) = process.ended() {
            panic!("gateway {name} ended with {status}");
        }
        let panicked = process.log().into_iter().find(|line| line.contains("panicked at"));
        assert!(panicked.is_none(), "gateway {name}: {panicked:?}");
    }
}
