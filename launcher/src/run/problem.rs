//! A [`Problem`] where there is room for one line only.

use hallpass_session::problem::Problem;

/// Place, trouble and advice in one line.
pub(crate) fn in_one_line(problem: &Problem) -> String {
    problem.to_string().replace("\n  ", "; ")
}

#[cfg(test)]
mod tests {
    use super::{Problem, in_one_line};

    #[test]
    fn the_advice_follows() {
        let problem = Problem {
            place: "/a".into(),
            what: "is bad".into(),
            instead: "make it good".into(),
        };
        assert_eq!(in_one_line(&problem), "/a: is bad; make it good");
    }
}
