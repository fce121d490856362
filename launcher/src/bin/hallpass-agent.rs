//! The desktop window; all of it is in the agent crate.

fn main() -> std::process::ExitCode {
    hallpass_agent_ui::main()
}
