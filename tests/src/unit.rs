//! What `systemd/danerelay.service` asks systemd for, and the same without systemd as far as that goes.

use crate::process::command;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where systemd would have the program.
const PROGRAM: &str = "/usr/bin/danerelay";

/// A service's settings, in their order.
pub struct Unit(Vec<(String, String)>);

impl Unit {
    /// The unit that is shipped.
    pub fn shipped() -> Self {
        let settings = shipped("danerelay.service");
        let settings = settings.lines().filter(|line| !line.starts_with(['#', '[']));
        Self(
            settings
                .filter_map(|line| line.split_once('='))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// The value of a setting that the unit has once.
    pub fn get(&self, key: &str) -> &str {
        match self.all(key).as_slice() {
            [value] => value,
            values => panic!("the unit has {} values for {key}", values.len()),
        }
    }

    fn all(&self, key: &str) -> Vec<&str> {
        let found = self.0.iter().filter(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str()).collect()
    }

    /// The directories that are made for the service's account, with their modes.
    pub fn directories(&self) -> Vec<(PathBuf, u32)> {
        let settings = [
            ("StateDirectory", "/var/lib"),
            ("LogsDirectory", "/var/log"),
            ("RuntimeDirectory", "/run"),
        ];
        settings
            .iter()
            .map(|(key, place)| {
                let mode = u32::from_str_radix(self.get(&format!("{key}Mode")), 8).unwrap();
                (Path::new(place).join(self.get(key)), mode)
            })
            .collect()
    }

    /// The service's command: its account, capabilities, mask and environment, its limit where we may set it; the file
    /// system read-only but for what the unit excepts. `program` takes the place of the one that would be installed.
    pub fn command(&self, program: &Path) -> Command {
        let arguments = self
            .get("ExecStart")
            .strip_prefix(PROGRAM)
            .expect("the path to install to");
        let writable: Vec<String> = self
            .directories()
            .into_iter()
            .map(|(place, _)| place.display().to_string())
            .chain(
                self.all("ReadWritePaths")
                    .into_iter()
                    .map(|place| place.trim_start_matches('-').to_owned()),
            )
            .collect();
        let capability = self
            .get("AmbientCapabilities")
            .trim_start_matches("CAP_")
            .to_lowercase();
        assert_eq!(self.get("NoNewPrivileges"), "yes");
        assert_eq!(self.get("ProtectSystem"), "strict");
        let script = format!(
            "for place in {writable}; do mount --bind $place $place; done\n\
             mount -o remount,bind,ro /etc; mount -o remount,bind,ro /\n\
             ulimit -n {descriptors} || true; umask {mask}; cd /\n\
             exec setpriv --reuid {user} --regid {group} --clear-groups --no-new-privs --inh-caps -all,+{capability} \
             --ambient-caps -all,+{capability} --bounding-set -all,+{capability} -- {program}{arguments}",
            writable = writable.join(" "),
            descriptors = self.get("LimitNOFILE"),
            mask = self.get("UMask"),
            user = self.get("User"),
            group = self.get("Group"),
            program = program.display(),
        );
        let mut service = command("unshare");
        service.args([
            "--mount",
            "--propagation",
            "private",
            "--",
            "sh",
            "-e",
            "-c",
            &script,
        ]);
        // systemd passes on nothing that it was not told to.
        service
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin");
        for assignment in self.all("Environment") {
            let (name, value) = assignment.split_once('=').expect("NAME=VALUE");
            service.env(name, value);
        }
        service
    }
}

/// The spool that `systemd/danerelay.tmpfiles` has made, and its mode.
pub fn spool() -> (PathBuf, u32) {
    let text = shipped("danerelay.tmpfiles");
    let line = text
        .lines()
        .find(|line| line.starts_with("d "))
        .expect("a directory");
    let fields: Vec<&str> = line.split_whitespace().collect();
    (fields[1].into(), u32::from_str_radix(fields[2], 8).unwrap())
}

fn shipped(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../systemd")
        .join(name);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
