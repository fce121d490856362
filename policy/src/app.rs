//! The part of a rule that says who: executable, script, package, ancestor, name or user.

use crate::Subject;
use crate::text::{has_hidden, quoted};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// Longest pattern, in bytes; a path on Linux has at most 4095 (PATH_MAX), and each may be written
/// as an escape of six (`\u{1b}`).
const PATTERN_MAX: usize = 25_000;

/// Who a rule is for. Strings are compared with a [`Subject`]'s as they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AppPattern {
    /// `script:/path`: the script that an interpreter runs.
    Script(String),
    /// `/path`: the executable.
    Path(String),
    /// `package:npm:esbuild`: the package whose install or build script it is.
    Package(String),
    /// `parent:/path` or `parent:name`: any ancestor's executable, script or name.
    Parent(String),
    /// `name`: last part of the script's path, else of the executable's.
    Name(String),
    /// `user:name`.
    User(String),
}

/// Why a text is no app pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.remedy)
    }
}

impl std::error::Error for AppError {}

fn error(message: impl Into<String>, remedy: impl Into<String>) -> AppError {
    AppError {
        message: message.into(),
        remedy: remedy.into(),
    }
}

impl AppPattern {
    /// The pattern for exactly this program: its script, else its executable's path.
    #[must_use]
    pub fn for_subject(subject: &Subject) -> Self {
        match &subject.script {
            Some(script) => Self::Script(script.clone()),
            None => Self::Path(subject.exe.clone()),
        }
    }

    /// Whether it reads back as itself. [`Self::for_subject`] may be of a program without a path,
    /// whose executable nobody sees.
    #[must_use]
    pub fn can_be_written(&self) -> bool {
        self.to_string().parse().as_ref() == Ok(self)
    }

    /// Whether a program is one of the pattern's.
    #[must_use]
    pub fn matches(&self, subject: &Subject) -> bool {
        match self {
            Self::Script(path) => subject.script.as_ref() == Some(path),
            Self::Path(path) => subject.exe == *path,
            Self::Package(package) => subject.packages.contains(package),
            Self::Name(name) => subject.name == *name,
            Self::User(user) => subject.user.as_ref() == Some(user),
            Self::Parent(path) if path.starts_with('/') => subject
                .parents
                .iter()
                .any(|parent| parent.exe == *path || parent.script.as_ref() == Some(path)),
            Self::Parent(name) => subject.parents.iter().any(|parent| parent.name == *name),
        }
    }

    /// How specific it is: more is more specific, 0 is left for a rule without a pattern.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Script(_) => 6,
            Self::Path(_) => 5,
            Self::Package(_) => 4,
            Self::Parent(_) => 3,
            Self::Name(_) => 2,
            Self::User(_) => 1,
        }
    }
}

impl FromStr for AppPattern {
    type Err = AppError;

    fn from_str(text: &str) -> Result<Self, AppError> {
        if text.is_empty() {
            return Err(error(
                "the app is empty",
                "leave `app` out for every program, or write a path such as /usr/bin/curl",
            ));
        }
        if text.len() > PATTERN_MAX {
            return Err(error(
                format!("the app {} has {} bytes", quoted(text), text.len()),
                format!("write at most {PATTERN_MAX}"),
            ));
        }
        if has_hidden(text) {
            return Err(error(
                format!(
                    "the app {} has a control or invisible character",
                    quoted(text)
                ),
                "write the program as hallpass shows it, with such characters escaped",
            ));
        }
        if text.trim() != text {
            return Err(error(
                format!("the app {} has a blank at its end or start", quoted(text)),
                format!("write {}", quoted(text.trim())),
            ));
        }
        match text.split_once(':') {
            None => path_or_name(text),
            Some(_) if text.starts_with('/') => path_or_name(text),
            Some(("script", path)) if path.starts_with('/') => Ok(Self::Script(check_path(path)?)),
            Some(("script", other)) => Err(error(
                format!("the script {} is no absolute path", quoted(other)),
                "write script:/path/to/it, or only its name",
            )),
            Some(("parent", parent)) => match path_or_name(parent)? {
                Self::Path(parent) | Self::Name(parent) => Ok(Self::Parent(parent)),
                _ => Err(error(
                    "`parent:` wants a path or a name",
                    "write parent:make or parent:/usr/bin/make",
                )),
            },
            Some(("package", package)) => package_pattern(package),
            Some(("user", "")) => Err(error("`user:` wants a user's name", "write user:alice")),
            Some(("user", user)) => Ok(Self::User(user.to_owned())),
            Some((kind, rest)) => Err(error(
                format!("{} is no kind of app", quoted(&format!("{kind}:"))),
                format!(
                    "write script:, parent:, package: or user:, or {} if that is a package",
                    quoted(&format!("package:{kind}:{rest}"))
                ),
            )),
        }
    }
}

fn path_or_name(text: &str) -> Result<AppPattern, AppError> {
    if text.starts_with('/') {
        return check_path(text).map(AppPattern::Path);
    }
    if text.is_empty() {
        return Err(error(
            "`parent:` wants a path or a name",
            "write parent:make or parent:/usr/bin/make",
        ));
    }
    if text.contains('/') {
        let remedy = if let Some(name) = text.rsplit('/').next().filter(|name| !name.is_empty()) {
            format!("write the whole path, or only the name {}", quoted(name))
        } else {
            "write the whole path".to_owned()
        };
        return Err(error(
            format!("the app {} is a relative path", quoted(text)),
            remedy,
        ));
    }
    if text.contains('*') {
        return Err(error(
            format!("the app {} has a `*`", quoted(text)),
            "write one program's path or name; leave `app` out for every program",
        ));
    }
    Ok(AppPattern::Name(text.to_owned()))
}

fn check_path(path: &str) -> Result<String, AppError> {
    let tidy: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if tidy.is_empty() {
        return Err(error(
            format!("the app {} is no program", quoted(path)),
            "write a path such as /usr/bin/curl",
        ));
    }
    let canonical = format!("/{}", tidy.join("/"));
    if tidy.contains(&"..") {
        return Err(error(
            format!("the app {} has `..` in its path", quoted(path)),
            "write the path without it",
        ));
    }
    if canonical != path {
        return Err(error(
            format!(
                "the app {} is not written as the system shows it",
                quoted(path)
            ),
            format!("write {}", quoted(&canonical)),
        ));
    }
    Ok(canonical)
}

fn package_pattern(package: &str) -> Result<AppPattern, AppError> {
    match package.split_once(':') {
        Some((manager, name)) if !manager.is_empty() && !name.is_empty() => {
            Ok(AppPattern::Package(package.to_owned()))
        }
        _ => Err(error(
            format!(
                "the package {} does not say of which package manager",
                quoted(package)
            ),
            "write package:npm:NAME, or cargo:, pip:, go: or make: in place of npm:",
        )),
    }
}

impl fmt::Display for AppPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(text) | Self::Name(text) => f.write_str(text),
            Self::Script(path) => write!(f, "script:{path}"),
            Self::Package(package) => write!(f, "package:{package}"),
            Self::Parent(parent) => write!(f, "parent:{parent}"),
            Self::User(user) => write!(f, "user:{user}"),
        }
    }
}

impl Serialize for AppPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AppPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = AppPattern;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an app such as \"/usr/bin/curl\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<AppPattern, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}
