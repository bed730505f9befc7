//! The floors of `ARCHITECTURE.md`: a module imports only from floors below its own.

use std::fs;
use std::path::Path;

/// From the cellar up; the table of `ARCHITECTURE.md` from bottom to top.
const FLOORS: [&[&str]; 10] = [
    &["id", "level", "clock", "tls"],
    &["config"],
    &["telemetry", "wire", "store", "crdt"],
    &["metrics", "access", "fanout", "history", "recording"],
    &["document"],
    &["hub"],
    &["session"],
    &["http"],
    &["app"],
    &["cli"],
];

fn floor(module: &str) -> usize {
    let found = FLOORS.iter().position(|floor| floor.contains(&module));
    found.unwrap_or_else(|| panic!("{module} lives on no floor of this test"))
}

/// What a source text names of the crate.
fn imports(source: &str) -> impl Iterator<Item = &str> {
    let paths = source.split("crate::").skip(1);
    paths.map(|path| path.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap_or(""))
}

fn check(module: &str, path: &Path) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a readable directory") {
            check(module, &entry.expect("an entry").path());
        }
        return;
    }
    let source = fs::read_to_string(path).expect("a readable file");
    for import in imports(&source).filter(|import| *import != module && !import.is_empty()) {
        assert!(
            floor(import) < floor(module),
            "{} imports {import}, which is not below {module}",
            path.display()
        );
    }
}

#[test]
fn a_module_imports_only_from_floors_below() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(root).expect("the sources") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        if !matches!(name.as_str(), "lib" | "main") {
            check(&name, &path);
        }
    }
}
