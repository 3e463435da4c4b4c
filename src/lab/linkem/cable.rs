use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use nix::errno::Errno;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::ppoll;
use nix::sched::CloneFlags;
use nix::sched::setns;
use nix::sys::time::TimeSpec;
use tun_rs::DeviceBuilder;
use tun_rs::SyncDevice;

use super::config::LineConfig;
use super::error::LinkemError;
use super::machine::Line;
use super::stats::LineStats;

/// The name of the device in both namespaces.
const DEVICE: &str = "line";

/// A direction looks this often whether it should end.
const TURN: Duration = Duration::from_millis(50);

/// Packets taken in at once, so that those that are due do not wait behind a flood.
const INTAKE: usize = 32;

/// The largest IP packet.
const PACKET_MAX: usize = 65_535;

/// One end of a cable.
#[derive(Clone, Debug)]
pub struct End {
    /// The network namespace; made, and removed at the end, if there is none of that name.
    pub namespace: String,
    /// The address there, with the length of the network's prefix, such as `10.78.0.1/24`.
    pub address: String,
}

/// One direction of a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the first end to the second.
    Forth,
    /// From the second end to the first.
    Back,
}

/// Two [`Line`]s, one for each direction, between devices in two network namespaces. Dropping it takes all of it away.
#[derive(Debug)]
pub struct Cable {
    lines: [Arc<Mutex<Line>>; 2],
    carriers: Vec<JoinHandle<io::Result<()>>>,
    stop: Arc<AtomicBool>,
    /// Removed at the end.
    _namespaces: Vec<Namespace>,
}

/// A network namespace of our own.
#[derive(Debug)]
struct Namespace(String);

impl Drop for Namespace {
    fn drop(&mut self) {
        // Somebody else may have removed it; there is nobody to tell.
        let _ = ip(&["netns", "del", &self.0]);
    }
}

impl Cable {
    /// Lays the cable and lets packets pass. The configurations are for forth and back.
    ///
    /// # Errors
    ///
    /// Who is not root, and what the system refuses.
    pub fn set_up(ends: &[End; 2], configs: [LineConfig; 2], seed: u64, mtu: u16) -> Result<Self, LinkemError> {
        if !nix::unistd::geteuid().is_root() {
            return Err(LinkemError::NotRoot);
        }
        let mut namespaces = Vec::new();
        for end in ends {
            if !path_of(&end.namespace).exists() {
                ip(&["netns", "add", &end.namespace])?;
                namespaces.push(Namespace(end.namespace.clone()));
                ip(&["-n", &end.namespace, "link", "set", "lo", "up"])?;
            }
        }
        let [first, second] = ends;
        let first = Arc::new(device(first, mtu)?);
        let second = Arc::new(device(second, mtu)?);
        let now = Instant::now();
        let [forth, back] = configs;
        // Two directions that lose the same packets would be no chance at all.
        let lines = [Line::new(forth, seed, now), Line::new(back, !seed, now)].map(|line| Arc::new(Mutex::new(line)));
        let [forth, back] = &lines;
        let stop = Arc::new(AtomicBool::new(false));
        let carriers = vec![
            carrier(&first, &second, forth, &stop),
            carrier(&second, &first, back, &stop),
        ];
        Ok(Self {
            lines,
            carriers,
            stop,
            _namespaces: namespaces,
        })
    }

    /// Changes one direction from now on, as [`LineConfig::apply`] does.
    ///
    /// # Errors
    ///
    /// The first word that is wrong, and what is allowed.
    pub fn apply(&self, direction: Direction, words: &str) -> Result<(), LinkemError> {
        let mut line = self.line(direction);
        let mut config = line.config().clone();
        config.apply(words)?;
        line.set_config(config);
        Ok(())
    }

    /// What became of the packets of one direction so far.
    pub fn stats(&self, direction: Direction) -> LineStats {
        self.line(direction).stats()
    }

    /// Whether both directions still carry packets.
    pub fn is_whole(&self) -> bool {
        !self.carriers.iter().any(JoinHandle::is_finished)
    }

    /// Ends both directions, and gives the reason if one of them ended before.
    ///
    /// # Errors
    ///
    /// Why reading from or writing to a device failed.
    pub fn end(mut self) -> io::Result<()> {
        self.stop_carriers()
    }

    fn stop_carriers(&mut self) -> io::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let mut ended = Ok(());
        for carrier in self.carriers.drain(..) {
            let done = carrier.join();
            ended = ended
                .and(done.unwrap_or_else(|_| Err(io::Error::other("a direction of the network path has panicked"))));
        }
        ended
    }

    fn line(&self, direction: Direction) -> MutexGuard<'_, Line> {
        let [forth, back] = &self.lines;
        lock(match direction {
            Direction::Forth => forth,
            Direction::Back => back,
        })
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // The devices go with the threads that hold them, before the namespaces.
        let _ = self.stop_carriers();
    }
}

/// A line is whole between any two calls, so a panic of another thread leaves nothing half done.
fn lock(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

fn path_of(namespace: &str) -> PathBuf {
    Path::new("/run/netns").join(namespace)
}

fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> LinkemError {
    let what = what.into();
    |error| LinkemError::System { what, error }
}

fn ip(arguments: &[&str]) -> Result<(), LinkemError> {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .map_err(system("the program ip (Debian: iproute2) cannot be run"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(LinkemError::Ip {
        arguments: arguments.join(" "),
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// A device in the namespace of an end, with its address, up.
fn device(end: &End, mtu: u16) -> Result<SyncDevice, LinkemError> {
    let namespace = end.namespace.as_str();
    let device = thread::scope(|scope| {
        // Only the thread that makes the device visits the namespace.
        let maker = scope.spawn(|| device_in(namespace, mtu));
        maker
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that makes it has panicked")))
    })
    .map_err(system(format!("a device in the namespace {namespace} cannot be made")))?;
    for arguments in [
        // Else the kernel's own IPv6 packets would take their share of what chance has in store.
        &["link", "set", DEVICE, "addrgenmode", "none"][..],
        &["addr", "add", &end.address, "dev", DEVICE],
        &["link", "set", DEVICE, "up"],
    ] {
        ip(&[&["-n", namespace], arguments].concat())?;
    }
    Ok(device)
}

fn device_in(namespace: &str, mtu: u16) -> io::Result<SyncDevice> {
    setns(File::open(path_of(namespace))?, CloneFlags::CLONE_NEWNET)?;
    let device = DeviceBuilder::new().name(DEVICE).mtu(mtu).enable(false).build_sync()?;
    device.set_nonblocking(true)?;
    Ok(device)
}

fn carrier(
    from: &Arc<SyncDevice>,
    to: &Arc<SyncDevice>,
    line: &Arc<Mutex<Line>>,
    stop: &Arc<AtomicBool>,
) -> JoinHandle<io::Result<()>> {
    let (from, to, line, stop) = (from.clone(), to.clone(), line.clone(), stop.clone());
    thread::spawn(move || carry(&from, &to, &line, &stop))
}

/// Moves packets in one direction until told to stop. A thread with a timer of the kernel's, because tokio's is too coarse:
/// at 100 Mbit/s a packet passes in an eighth of a millisecond.
fn carry(from: &SyncDevice, to: &SyncDevice, line: &Mutex<Line>, stop: &AtomicBool) -> io::Result<()> {
    let mut buffer = vec![0; PACKET_MAX];
    while !stop.load(Ordering::Relaxed) {
        let next = lock(line).poll_timeout();
        let wait = next.map_or(TURN, |at| at.saturating_duration_since(Instant::now()).min(TURN));
        let mut polled = [PollFd::new(from.as_fd(), PollFlags::POLLIN)];
        match ppoll(&mut polled, Some(TimeSpec::from_duration(wait)), None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        for _ in 0..INTAKE {
            match from.recv(&mut buffer) {
                Ok(size) => {
                    let packet = Bytes::copy_from_slice(buffer.get(..size).unwrap_or_default());
                    lock(line).handle_packet(packet, Instant::now());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let now = Instant::now();
        loop {
            let Some(packet) = lock(line).poll_packet(now) else {
                break;
            };
            to.send(&packet)?;
        }
    }
    Ok(())
}
