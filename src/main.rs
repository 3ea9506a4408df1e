//! creditd: see the library's first page for the house, README.md for what it is for.

fn main() -> std::process::ExitCode {
    creditd::cli::main()
}
