//! The command `jsmql`.

use std::process::ExitCode;

fn main() -> ExitCode {
    jsmql::shell::main()
}
