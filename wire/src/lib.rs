//! Frames between the hook and its session.
#![no_std]
#![forbid(unsafe_code)]
