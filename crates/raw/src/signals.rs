//! Signals that ask the process to end.

use std::io::{self, Read};
use std::mem;
use std::os::fd::IntoRawFd;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;

use libc::c_int;

/// A signal that asks the process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: `kill`, a scheduler, a shutdown.
    Terminate,
    /// SIGHUP: the terminal is gone.
    HangUp,
}

const SIGNALS: [(Signal, c_int); 3] =
    [(Signal::Interrupt, libc::SIGINT), (Signal::Terminate, libc::SIGTERM), (Signal::HangUp, libc::SIGHUP)];

/// The end of the pipe that signals are written to; -1 before the first call of [`on_termination`].
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// Calls `handler` in a thread of its own for each signal that asks the process to end, instead of ending it.
///
/// Each signal is decided separately: one that the parent process has set to be ignored, as `nohup` does with SIGHUP and
/// shells with SIGINT for programs in the background, stays ignored.
///
/// # Errors
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if there is a handler; other kinds if the system permits no pipe, thread
/// or handler.
pub fn on_termination(mut handler: impl FnMut(Signal) + Send + 'static) -> io::Result<()> {
    let (mut reader, writer) = io::pipe()?;
    // Open until the process ends: a signal may arrive at any time.
    let writer = writer.into_raw_fd();
    if PIPE.compare_exchange(-1, writer, Ordering::SeqCst, Ordering::SeqCst).is_err() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let wait = move || {
        let mut number = [0];
        while reader.read_exact(&mut number).is_ok() {
            let signal = SIGNALS.iter().find(|(_, known)| *known == c_int::from(number[0]));
            signal.into_iter().for_each(|(signal, _)| handler(*signal));
        }
    };
    thread::Builder::new().name("signals".into()).spawn(wait)?;
    SIGNALS.iter().filter(|(_, number)| !is_ignored(*number)).try_for_each(|(_, number)| install(*number))
}

/// Writes the number of a signal to the pipe.
extern "C" fn notify(number: c_int) {
    let byte = number as u8;
    // SAFETY: `write` may be called in a signal handler; the byte outlives the call, and the descriptor is never closed.
    unsafe { libc::write(PIPE.load(Ordering::SeqCst), (&raw const byte).cast(), 1) };
}

/// Whether a signal is set to be ignored.
fn is_ignored(number: c_int) -> bool {
    let mut action = empty();
    // SAFETY: reads the action of a signal that exists into a valid structure.
    let read = unsafe { libc::sigaction(number, ptr::null(), &raw mut action) };
    read == 0 && action.sa_sigaction == libc::SIG_IGN
}

/// Sets the action of a signal to [`notify`]. Interrupted system calls restart.
fn install(number: c_int) -> io::Result<()> {
    let mut action = empty();
    action.sa_sigaction = notify as *const () as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the structure is valid, with an empty mask, and the handler calls only `write`.
    match unsafe { libc::sigaction(number, &raw const action, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn empty() -> libc::sigaction {
    // SAFETY: a structure of numbers, for which all zeros are valid: the default action and an empty mask.
    unsafe { mem::zeroed() }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    fn set(number: c_int, action: libc::sighandler_t) {
        // SAFETY: sets a signal to its default or to be ignored.
        unsafe { libc::signal(number, action) };
    }

    fn raise(number: c_int) {
        // SAFETY: sends a signal to this thread.
        unsafe { libc::raise(number) };
    }

    #[test]
    fn each_signal_is_handled_unless_it_is_ignored() {
        set(libc::SIGINT, libc::SIG_IGN);
        set(libc::SIGTERM, libc::SIG_DFL);
        set(libc::SIGHUP, libc::SIG_DFL);
        let (sender, received) = mpsc::channel();
        on_termination(move |signal| sender.send(signal).expect("a receiver")).expect("a handler");
        [libc::SIGINT, libc::SIGTERM, libc::SIGHUP].into_iter().for_each(raise);
        let next = || received.recv_timeout(Duration::from_secs(60)).expect("a signal");
        assert_eq!([next(), next()], [Signal::Terminate, Signal::HangUp]);
        assert!(received.try_recv().is_err(), "an ignored signal stays ignored");
        let again = on_termination(|_| {}).map_err(|error| error.kind());
        assert_eq!(again, Err(io::ErrorKind::AlreadyExists));
    }
}
