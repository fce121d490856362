//! What people paste where a destination belongs: URLs, lists, users, hidden characters.

use super::{DestinationError, TEXT_MAX, destination, error};
use crate::text::{is_hidden, quoted};

/// What no destination has, whatever its kind.
pub(super) fn check_whole(text: &str) -> Result<(), DestinationError> {
    if text.is_empty() {
        return Err(error(
            "the destination is empty",
            "write one such as example.com:443, 10.0.0.0/8 or @any",
        ));
    }
    if text.len() > TEXT_MAX {
        return Err(error(
            format!("{} has {} bytes", quoted(text), text.len()),
            format!("a destination has at most {TEXT_MAX}"),
        ));
    }
    if text.trim() != text {
        return Err(error(
            format!("{} has a blank at its start or end", quoted(text)),
            format!("write {}", quoted(text.trim())),
        ));
    }
    if text.chars().any(is_hidden) {
        return Err(error(
            format!("{} has a control or invisible character", quoted(text)),
            "type it instead of pasting it",
        ));
    }
    Ok(())
}

/// What people paste: URLs, user@host, lists.
pub(super) fn check_pasted(text: &str) -> Result<(), DestinationError> {
    if let Some((scheme, rest)) = text.split_once("://") {
        return Err(url(text, scheme, rest));
    }
    if text.chars().any(char::is_whitespace) {
        return Err(error(
            format!("{} has a blank in it", quoted(text)),
            "write one destination at a time",
        ));
    }
    if let Some((front, host)) = text.rsplit_once('@')
        && !front.is_empty()
    {
        return Err(error(
            format!("{} has a user in front of the host", quoted(text)),
            format!(
                "write {}; a rule's program or user goes into `app`",
                quoted(host)
            ),
        ));
    }
    Ok(())
}

fn url(text: &str, scheme: &str, rest: &str) -> DestinationError {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let has_port = match host.rsplit_once(':') {
        Some((front, port)) => {
            !port.contains(']') && (front.ends_with(']') || !front.contains(':'))
        }
        None => false,
    };
    let port = match scheme.to_ascii_lowercase().as_str() {
        "https" | "wss" => ":443",
        "http" | "ws" => ":80",
        "ftp" => ":21",
        "ssh" | "sftp" => ":22",
        "git" => ":9418",
        "redis" => ":6379",
        "postgres" | "postgresql" => ":5432",
        "mysql" => ":3306",
        _ => "",
    };
    let plain = format!("{host}{}", if has_port { "" } else { port });
    let remedy = match destination(&plain) {
        Ok(plain) => format!("write {}", quoted(&plain.to_string())),
        Err(_) => "write only the host and port, such as example.com:443".to_owned(),
    };
    error(format!("{} is a URL", quoted(text)), remedy)
}
