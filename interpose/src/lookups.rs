//! The hooks that look names up. A look-up is never held or refused; when it has succeeded the
//! session is told name and addresses, and has them before the program does.

use crate::ask;
use crate::notes::LookingUp;
use core::ffi::{CStr, c_char, c_int, c_void};
use hallpass_wire::{Address, MAX_NAME, NameReport};
use libc::{addrinfo, hostent, in_addr, size_t, sockaddr_in, sockaddr_in6};

/// Most addresses told of one look-up; the answer itself is not cut.
const MAX_TOLD: usize = 256;

hook! {
    /// getaddrinfo(3)
    unsafe fn getaddrinfo(
        node: *const c_char,
        service: *const c_char,
        hints: *const addrinfo,
        result: *mut *mut addrinfo,
    ) -> c_int, absent libc::EAI_SYSTEM => {
        // SAFETY: null or a string.
        let looking_up = unsafe { looking_up(node) };
        // SAFETY: the program's own arguments.
        let status = unsafe { real!(getaddrinfo)(node, service, hints, result) };
        // The result is told after that: with it the thread may wait for a verdict.
        drop(looking_up);
        if status == 0 && !node.is_null() {
            // SAFETY: after success `result` points to a list.
            let list = unsafe { result.read() };
            // SAFETY: that list; `node` is a string.
            unsafe { tell_list(node, list) };
        }
        status
    }
}

hook! {
    /// gethostbyname(3)
    unsafe fn gethostbyname(name: *const c_char) -> *mut hostent, absent core::ptr::null_mut() => {
        // SAFETY: the program's own arguments.
        let host = unsafe { real!(gethostbyname)(name) };
        // SAFETY: null or a valid answer.
        unsafe { tell_host(name, host) };
        host
    }
}

hook! {
    /// gethostbyname2(3)
    unsafe fn gethostbyname2(
        name: *const c_char,
        family: c_int,
    ) -> *mut hostent, absent core::ptr::null_mut() => {
        // SAFETY: the program's own arguments.
        let host = unsafe { real!(gethostbyname2)(name, family) };
        // SAFETY: null or a valid answer.
        unsafe { tell_host(name, host) };
        host
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
        // SAFETY: the program's own arguments.
        let status = unsafe { real!(gethostbyname_r)(name, host, buffer, size, result, error) };
        if status == 0 {
            // SAFETY: after success `result` points to null or to a valid answer.
            let host = unsafe { result.read() };
            // SAFETY: that answer; `name` is a string if there is one.
            unsafe { tell_host(name, host) };
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
        // SAFETY: the program's own arguments.
        let status = unsafe { real(name, family, host, buffer, size, result, error) };
        if status == 0 {
            // SAFETY: after success `result` points to null or to a valid answer.
            let host = unsafe { result.read() };
            // SAFETY: that answer; `name` is a string if there is one.
            unsafe { tell_host(name, host) };
        }
        status
    }
}

/// Says that the thread is in getaddrinfo, unless it asks for one address by its number: several
/// it sorts, and connects UDP sockets for that (RFC 3484) which send nothing.
///
/// # Safety
/// `node` is null or a string.
unsafe fn looking_up(node: *const c_char) -> Option<LookingUp> {
    if node.is_null() {
        return LookingUp::enter(None);
    }
    // SAFETY: as the caller says.
    let name = unsafe { CStr::from_ptr(node) };
    if is_numeric(name) {
        return None;
    }
    LookingUp::enter(Some(name))
}

/// Collects addresses and tells them in as many reports as they need.
struct Telling {
    report: NameReport,
    told: usize,
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

    fn send(&self) {
        if !self.report.addresses().is_empty() {
            ask::tell_names(&self.report);
        }
    }
}

/// # Safety
/// `name` is a string, `list` a list as getaddrinfo makes it.
unsafe fn tell_list(name: *const c_char, list: *const addrinfo) {
    // SAFETY: as the caller says.
    let Some(mut telling) = (unsafe { Telling::new(name) }) else {
        return;
    };
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
    telling.send();
}

/// # Safety
/// `name` is a string if `host` is not null, and `host` null or an answer of gethostbyname.
unsafe fn tell_host(name: *const c_char, host: *const hostent) {
    // SAFETY: as the caller says.
    let Some(host) = (unsafe { host.as_ref() }) else {
        return;
    };
    // SAFETY: there is an answer, so the name was a string.
    let Some(mut telling) = (unsafe { Telling::new(name) }) else {
        return;
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
    telling.send();
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
