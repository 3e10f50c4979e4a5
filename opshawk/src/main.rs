//! `opshawk`; see the library.

fn main() -> std::process::ExitCode {
    opshawk::memory::limit_arenas();
    opshawk::cli::main()
}
