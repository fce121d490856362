//! The hooks that look names up. Before a look-up is made the session may refuse it: where the
//! default is deny, names that no rule could allow are told to nobody. When it has succeeded the session is told name and
//! addresses, and has them before the program does. With `--hold=name` it may hold the look-up
//! then, and refuse it: it fails as one that can never succeed, with no result.

use crate::ask::{self, LookUp};
use crate::{dumpable, errno, notes, settings};
use core::ffi::{CStr, c_char, c_int, c_void};
use hallpass_wire::{Address, MAX_NAME, NameReport, Protocol};
use libc::{addrinfo, hostent, in_addr, size_t, sockaddr_in, sockaddr_in6};

/// Most addresses told of one look-up; the answer itself is not cut.
const MAX_TOLD: usize = 256;
/// `h_errno` of a look-up that can never succeed (netdb.h).
const NO_RECOVERY: c_int = 3;

hook! {
    /// getaddrinfo(3)
    unsafe fn getaddrinfo(
        node: *const c_char,
        service: *const c_char,
        hints: *const addrinfo,
        result: *mut *mut addrinfo,
    ) -> c_int, absent libc::EAI_SYSTEM => {
        // SAFETY: null or a string.
        let looking_up = unsafe { LookingUp::enter(node) };
        if looking_up == LookingUp::Refused {
            return libc::EAI_FAIL;
        }
        // SAFETY: the program's own arguments.
        let status = unsafe { real!(getaddrinfo)(node, service, hints, result) };
        // The result is told after that: with it the thread may wait for a verdict.
        drop(looking_up);
        if status == 0 && !node.is_null() {
            // SAFETY: after success `result` points to a list.
            let list = unsafe { result.read() };
            // SAFETY: null, or good enough for getaddrinfo.
            let hints = unsafe { hints.as_ref() };
            // SAFETY: that list; `node` is a string.
            let told = unsafe { tell_list(node, hints, list) };
            if told == LookUp::Refused {
                // SAFETY: nobody else has seen the list.
                unsafe { libc::freeaddrinfo(list) };
                // SAFETY: it pointed to the list.
                unsafe { result.write(core::ptr::null_mut()) };
                return libc::EAI_FAIL;
            }
        }
        status
    }
}

hook! {
    /// gethostbyname(3)
    unsafe fn gethostbyname(name: *const c_char) -> *mut hostent, absent core::ptr::null_mut() => {
        // SAFETY: null or a string.
        let looking_up = unsafe { LookingUp::enter(name) };
        if looking_up == LookingUp::Refused {
            return no_host();
        }
        // SAFETY: the program's own arguments.
        let host = unsafe { real!(gethostbyname)(name) };
        drop(looking_up);
        // SAFETY: null or a valid answer.
        unsafe { told_host(name, host) }
    }
}

hook! {
    /// gethostbyname2(3)
    unsafe fn gethostbyname2(
        name: *const c_char,
        family: c_int,
    ) -> *mut hostent, absent core::ptr::null_mut() => {
        // SAFETY: null or a string.
        let looking_up = unsafe { LookingUp::enter(name) };
        if looking_up == LookingUp::Refused {
            return no_host();
        }
        // SAFETY: the program's own arguments.
        let host = unsafe { real!(gethostbyname2)(name, family) };
        drop(looking_up);
        // SAFETY: null or a valid answer.
        unsafe { told_host(name, host) }
    }
}

hook! {
    /// gethostbyname_r(3)
    unsafe fn gethostbyname_r(
        name: *const c_char,
        host: *mut hostent,
        buffer: *mut c_char,
        size: size_t,
        result: *mut *mut hostent,
        error: *mut c_int,
    ) -> c_int, absent libc::ENOSYS => {
        // SAFETY: null or a string.
        let looking_up = unsafe { LookingUp::enter(name) };
        if looking_up == LookingUp::Refused {
            // SAFETY: both can be written to.
            return unsafe { no_host_r(result, error) };
        }
        // SAFETY: the program's own arguments.
        let status = unsafe { real!(gethostbyname_r)(name, host, buffer, size, result, error) };
        drop(looking_up);
        if status == 0 {
            // SAFETY: after success `result` points to null or to a valid answer.
            let host = unsafe { result.read() };
            // SAFETY: that answer; `name` is a string if there is one; both were written to.
            return unsafe { told_host_r(name, host, result, error) };
        }
        status
    }
}

hook! {
    /// gethostbyname2_r(3)
    unsafe fn gethostbyname2_r(
        name: *const c_char,
        family: c_int,
        host: *mut hostent,
        buffer: *mut c_char,
        size: size_t,
        result: *mut *mut hostent,
        error: *mut c_int,
    ) -> c_int, absent libc::ENOSYS => {
        let real = real!(gethostbyname2_r);
        // SAFETY: null or a string.
        let looking_up = unsafe { LookingUp::enter(name) };
        if looking_up == LookingUp::Refused {
            // SAFETY: both can be written to.
            return unsafe { no_host_r(result, error) };
        }
        // SAFETY: the program's own arguments.
        let status = unsafe { real(name, family, host, buffer, size, result, error) };
        drop(looking_up);
        if status == 0 {
            // SAFETY: after success `result` points to null or to a valid answer.
            let host = unsafe { result.read() };
            // SAFETY: that answer; `name` is a string if there is one; both were written to.
            return unsafe { told_host_r(name, host, result, error) };
        }
        status
    }
}

/// What the session is told before a look-up is made.
#[derive(PartialEq, Eq)]
enum LookingUp {
    /// The session is believed to know, until this is dropped: getaddrinfo sorts addresses, and
    /// connects UDP sockets for that (RFC 3484) which send nothing.
    Noted(notes::LookingUp),
    /// Without a guard, or for a number that there is nothing to look up for.
    Unnoted,
    /// No rule could allow the name.
    Refused,
}

impl LookingUp {
    /// # Safety
    /// `node` is null or a string.
    unsafe fn enter(node: *const c_char) -> Self {
        // Also for the calls that the C library makes meanwhile.
        dumpable::stay();
        let name = if node.is_null() {
            c""
        } else {
            // SAFETY: as the caller says.
            unsafe { CStr::from_ptr(node) }
        };
        if is_numeric(name) {
            return Self::Unnoted;
        }
        if settings::is_guarded() {
            return notes::LookingUp::enter(name.to_bytes()).map_or(Self::Refused, Self::Noted);
        }
        // A report without an address asks whether there may be one.
        match NameReport::new(name.to_bytes()) {
            Ok(report) if ask::tell_names(&report) == LookUp::Refused => Self::Refused,
            _ => Self::Unnoted,
        }
    }
}

/// Collects addresses and tells them in as many reports as they need.
struct Telling {
    report: NameReport,
    told: usize,
    /// What the session said so far.
    outcome: LookUp,
}

impl Telling {
    /// None for a name that is a numeric address, or none at all: such are not looked up.
    ///
    /// # Safety
    /// `name` is a string.
    unsafe fn new(name: *const c_char) -> Option<Self> {
        // SAFETY: as the caller says.
        let name = unsafe { CStr::from_ptr(name) };
        if name.count_bytes() > MAX_NAME || is_numeric(name) {
            return None;
        }
        Some(Self {
            report: NameReport::new(name.to_bytes()).ok()?,
            told: 0,
            outcome: LookUp::GoesOn,
        })
    }

    fn add(&mut self, address: Address) {
        if self.told >= MAX_TOLD || self.report.addresses().contains(&address) {
            return;
        }
        self.told = self.told.saturating_add(1);
        if !self.report.push(address) {
            self.send();
            self.report.clear();
            self.report.push(address);
        }
    }

    fn send(&mut self) {
        if !self.report.addresses().is_empty() && self.outcome == LookUp::GoesOn {
            self.outcome = ask::tell_names(&self.report);
        }
    }

    /// Tells what is left.
    fn finish(mut self) -> LookUp {
        self.send();
        self.outcome
    }
}

/// # Safety
/// `name` is a string, `list` a list as getaddrinfo makes it.
unsafe fn tell_list(
    name: *const c_char,
    hints: Option<&addrinfo>,
    list: *const addrinfo,
) -> LookUp {
    // SAFETY: as the caller says.
    let Some(mut telling) = (unsafe { Telling::new(name) }) else {
        return LookUp::GoesOn;
    };
    // SAFETY: as the caller says.
    let port = unsafe { port(list) };
    let protocol = hints.and_then(|hints| match hints.ai_socktype {
        libc::SOCK_STREAM => Some(Protocol::Tcp),
        libc::SOCK_DGRAM => Some(Protocol::Udp),
        _ => None,
    });
    telling.report.set_purpose(port, protocol);
    let mut next = list;
    // SAFETY: null or a valid entry.
    while let Some(entry) = unsafe { next.as_ref() } {
        let address: *const c_void = entry.ai_addr.cast();
        if entry.ai_family == libc::AF_INET && !address.is_null() {
            // SAFETY: an entry of this family holds a sockaddr_in.
            let v4 = unsafe { address.cast::<sockaddr_in>().read_unaligned() };
            telling.add(Address::V4(v4.sin_addr.s_addr.to_ne_bytes()));
        } else if entry.ai_family == libc::AF_INET6 && !address.is_null() {
            // SAFETY: an entry of this family holds a sockaddr_in6.
            let v6 = unsafe { address.cast::<sockaddr_in6>().read_unaligned() };
            telling.add(Address::v6(v6.sin6_addr.s6_addr, v6.sin6_scope_id));
        }
        next = entry.ai_next;
    }
    telling.finish()
}

/// The port that the program gave as service, which getaddrinfo puts into each address; 0 if it
/// gave none.
///
/// # Safety
/// `list` is a list as getaddrinfo makes it.
unsafe fn port(list: *const addrinfo) -> u16 {
    // SAFETY: null or a valid entry.
    let Some(entry) = (unsafe { list.as_ref() }) else {
        return 0;
    };
    let has_port = matches!(entry.ai_family, libc::AF_INET | libc::AF_INET6);
    if !has_port || entry.ai_addr.is_null() {
        return 0;
    }
    // SAFETY: an address of either family; the port is at the same place in both.
    let address = unsafe { entry.ai_addr.cast::<sockaddr_in>().read_unaligned() };
    u16::from_be(address.sin_port)
}

/// What gethostbyname returns after it has been told.
///
/// # Safety
/// As [`tell_host`].
unsafe fn told_host(name: *const c_char, host: *mut hostent) -> *mut hostent {
    // SAFETY: as the caller says.
    if unsafe { tell_host(name, host) } == LookUp::GoesOn {
        return host;
    }
    no_host()
}

/// What gethostbyname returns for a look-up that can never succeed.
fn no_host() -> *mut hostent {
    unsafe extern "C" {
        /// Where `h_errno` of this thread is (glibc, musl).
        fn __h_errno_location() -> *mut c_int;
    }
    // SAFETY: takes nothing.
    let h_errno = unsafe { __h_errno_location() };
    // SAFETY: this thread's own place for it.
    unsafe { h_errno.write(NO_RECOVERY) };
    core::ptr::null_mut()
}

/// What gethostbyname_r returns after it has been told.
///
/// # Safety
/// As [`tell_host`]; `result` and `error` can be written to.
unsafe fn told_host_r(
    name: *const c_char,
    host: *const hostent,
    result: *mut *mut hostent,
    error: *mut c_int,
) -> c_int {
    // SAFETY: as the caller says.
    if unsafe { tell_host(name, host) } == LookUp::GoesOn {
        return 0;
    }
    // SAFETY: as the caller says.
    unsafe { no_host_r(result, error) }
}

/// What gethostbyname_r returns for a look-up that can never succeed.
///
/// # Safety
/// `result` and `error` can be written to.
unsafe fn no_host_r(result: *mut *mut hostent, error: *mut c_int) -> c_int {
    // SAFETY: as the caller says.
    unsafe { result.write(core::ptr::null_mut()) };
    // SAFETY: as the caller says.
    unsafe { error.write(NO_RECOVERY) };
    errno::set(libc::ECONNREFUSED);
    libc::ECONNREFUSED
}

/// # Safety
/// `name` is a string if `host` is not null, and `host` null or an answer of gethostbyname.
unsafe fn tell_host(name: *const c_char, host: *const hostent) -> LookUp {
    // SAFETY: as the caller says.
    let Some(host) = (unsafe { host.as_ref() }) else {
        return LookUp::GoesOn;
    };
    // SAFETY: there is an answer, so the name was a string.
    let Some(mut telling) = (unsafe { Telling::new(name) }) else {
        return LookUp::GoesOn;
    };
    let mut next = host.h_addr_list;
    loop {
        // SAFETY: the list ends with null, and we have not passed it.
        let address: *const c_char = unsafe { next.read() };
        if address.is_null() {
            break;
        }
        match (host.h_addrtype, host.h_length) {
            (libc::AF_INET, 4) => {
                // SAFETY: h_length bytes.
                telling.add(Address::V4(unsafe { address.cast::<[u8; 4]>().read() }));
            }
            (libc::AF_INET6, 16) => {
                // SAFETY: h_length bytes.
                telling.add(Address::v6(unsafe { address.cast::<[u8; 16]>().read() }, 0));
            }
            _ => break,
        }
        // SAFETY: stays within the list, whose end we have not passed.
        next = unsafe { next.add(1) };
    }
    telling.finish()
}

/// Whether the C library would take the name for an address: `10.0.0.1`, also `127.1`; `::1`,
/// also with a scope.
fn is_numeric(name: &CStr) -> bool {
    unsafe extern "C" {
        fn inet_aton(text: *const c_char, address: *mut in_addr) -> c_int;
    }
    if name.to_bytes().contains(&b':') {
        // No host name has a colon.
        return true;
    }
    let mut address = in_addr { s_addr: 0 };
    // SAFETY: a string, and a struct to write to.
    unsafe { inet_aton(name.as_ptr(), &raw mut address) != 0 }
}
