//! `opshawk`; see the library.

fn main() -> std::process::ExitCode {
    opshawk::cli::main()
}
