//! Builds the web app, so that `cargo build` is all it takes.
//!
//! `COSCRIBE_WEB=skip` leaves it out, for work on the Rust side without Node: every page then says
//! that the web app is not part of the build.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the web build reads.
const INPUTS: [&str; 9] = [
    "src",
    "public",
    "scripts",
    "index.html",
    "package.json",
    "package-lock.json",
    "svelte.config.js",
    "tsconfig.json",
    "vite.config.ts",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-env-changed=COSCRIBE_WEB");
    let web = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("web");
    for input in INPUTS {
        if web.join(input).exists() {
            println!("cargo:rerun-if-changed={}", web.join(input).display());
        }
    }
    let dist = match env::var("COSCRIBE_WEB").as_deref() {
        Ok("skip") => empty_dist(),
        _ => {
            build(&web);
            web.join("dist")
        }
    };
    println!("cargo:rustc-env=WEB_DIST={}", dist.display());
}

fn build(web: &Path) {
    if !modules_are_current(web) {
        npm(web, &["ci", "--no-audit", "--no-fund"]);
    }
    npm(web, &["run", "build"]);
}

/// npm writes a copy of the lock file when it has installed everything in it.
fn modules_are_current(web: &Path) -> bool {
    let modified = |path: &str| fs::metadata(web.join(path)).and_then(|file| file.modified()).ok();
    match (modified("node_modules/.package-lock.json"), modified("package-lock.json")) {
        (Some(installed), Some(wanted)) => installed >= wanted,
        _ => false,
    }
}

fn npm(web: &Path, arguments: &[&str]) {
    let output = Command::new("npm").args(arguments).current_dir(web).output().unwrap_or_else(|e| {
        panic!(
            "the web app is built with npm, which could not be started ({e}): install Node.js 20 or \
             newer, or set COSCRIBE_WEB=skip to build the server without it"
        )
    });
    assert!(
        output.status.success(),
        "`npm {}` failed in web/:\n{}{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

fn empty_dist() -> PathBuf {
    let dist = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it")).join("dist");
    fs::create_dir_all(&dist).expect("OUT_DIR can be written");
    dist
}
