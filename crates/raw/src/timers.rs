//! How exact the timers of threads are.

use std::time::Duration;

/// Lets the timers of this thread, and of all that it starts from now on, be late by so much: a sleep, and a wait that ends by
/// itself. Being woken is as fast as ever. On Linux; elsewhere it does nothing.
///
/// For threads that look around many times a second although they are told when there is something to do: it is time that
/// whoever computes does not have.
pub fn may_be_late(by: Duration) {
    #[cfg(target_os = "linux")]
    // SAFETY: sets a number of this thread's; the system takes any.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, libc::c_ulong::try_from(by.as_nanos()).unwrap_or(libc::c_ulong::MAX));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = by;
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_starts_is_as_late() {
        // SAFETY: reads a number of this thread's.
        let slack = || unsafe { libc::prctl(libc::PR_GET_TIMERSLACK) };
        let inherited = std::thread::spawn(move || {
            may_be_late(Duration::from_micros(1234));
            (slack(), std::thread::spawn(slack).join().expect("a number"))
        });
        assert_eq!(inherited.join().expect("numbers"), (1_234_000, 1_234_000));
        assert_ne!(slack(), 1_234_000, "no other is");
    }
}
