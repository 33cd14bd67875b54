//! The accuracy of a thread's timers.

use std::time::Duration;

/// Allows timers of this thread, and of all threads that it starts from now on, to be late by this duration: sleeps,
/// and waits with a timeout. Explicit wake-ups are as fast as before. Only on Linux; it has no effect elsewhere.
///
/// For threads that poll many times per second although they are woken when there is work: polling takes CPU time from
/// threads that compute.
pub fn may_be_late(by: Duration) {
    #[cfg(target_os = "linux")]
    // SAFETY: sets a number of this thread; all values are valid.
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
    fn started_threads_inherit_the_slack() {
        // SAFETY: reads a number of this thread.
        let slack = || unsafe { libc::prctl(libc::PR_GET_TIMERSLACK) };
        let inherited = std::thread::spawn(move || {
            may_be_late(Duration::from_micros(1234));
            (slack(), std::thread::spawn(slack).join().expect("a number"))
        });
        assert_eq!(inherited.join().expect("numbers"), (1_234_000, 1_234_000));
        assert_ne!(slack(), 1_234_000, "no other is");
    }
}
