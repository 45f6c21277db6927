//! A real browser, driven over its debugging pipe: Debian's Chromium, without a window.
//!
//! It opens files of this host only. Whatever its console says is kept, for a page that is well says nothing there.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long an answer may take, on a busy host as well.
const PATIENCE: Duration = Duration::from_secs(120);

/// The screen that a page is opened on.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// In CSS pixels.
    pub width: u32,
    /// In CSS pixels.
    pub height: u32,
    /// Whether it is a phone, which is touched and has no pointer.
    pub phone: bool,
    /// Whether its owner likes it dark.
    pub dark: bool,
}

/// A screen on a desk.
pub const DESK: Screen = Screen { width: 1400, height: 900, phone: false, dark: false };
/// A screen in a hand.
pub const PHONE: Screen = Screen { width: 390, height: 844, phone: true, dark: true };

/// The narrowest screen in a hand.
pub const NARROW: Screen = Screen { width: 320, height: 844, phone: true, dark: false };

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    input: ChildStdin,
    said: Receiver<Value>,
    session: Option<String>,
    last: u64,
    console: Vec<String>,
    profile: TempDir,
}

impl Browser {
    /// Starts it. A host without one fails the test: `./quickstart test` installs it.
    pub fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        // The pipe has to be its files 3 and 4. What it says of itself, with no bus and no screen, is of no interest.
        command.args(["-c", "exec chromium \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null 2>\"$0\""]);
        command.arg(profile.path().join("chromium.log"));
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--remote-debugging-pipe",
        ]);
        command.arg(format!("--user-data-dir={}", profile.path().display())).env("TMPDIR", profile.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, said) = channel();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while output.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { break };
                if sender.send(value).is_err() {
                    break;
                }
                message.clear();
            }
        });
        let input = child.stdin.take().unwrap();
        let mut browser = Self { child, input, said, session: None, last: 0, console: Vec::new(), profile };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", &attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Accessibility"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// Opens a file and waits until it is loaded.
    pub fn open(&mut self, file: &Path, screen: Screen) {
        self.turn(screen);
        self.call("Emulation.setTouchEmulationEnabled", &json!({ "enabled": screen.phone }));
        self.media("", screen.dark);
        let navigated = self.call("Page.navigate", &json!({ "url": format!("file://{}", file.display()) }));
        assert_eq!(navigated.get("errorText"), None, "{}", file.display());
        self.until("Page.loadEventFired");
    }

    /// Shows the page that is open on a screen of another size, as that of a phone which is turned.
    pub fn turn(&mut self, screen: Screen) {
        let Screen { width, height, phone, .. } = screen;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone });
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Shows the page as on `medium`, such as `print`, or on a screen if that is empty.
    pub fn media(&mut self, medium: &str, dark: bool) {
        let scheme = json!([{ "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" } }]);
        self.call("Emulation.setEmulatedMedia", &json!({ "media": medium, "features": scheme }));
    }

    /// The value of an expression, awaited if it is a promise.
    pub fn eval(&mut self, expression: &str) -> Value {
        let request = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", &request);
        assert_eq!(answer.get("exceptionDetails"), None, "{expression}");
        answer["result"]["value"].clone()
    }

    /// Moves the mouse to a place on the screen.
    pub fn point(&mut self, x: f64, y: f64) {
        self.call("Input.dispatchMouseEvent", &json!({ "type": "mouseMoved", "x": x, "y": y }));
    }

    /// Touches the screen at a place for a moment.
    pub fn tap(&mut self, x: f64, y: f64) {
        let point = json!([{ "x": x, "y": y }]);
        self.call("Input.dispatchTouchEvent", &json!({ "type": "touchStart", "touchPoints": point }));
        self.call("Input.dispatchTouchEvent", &json!({ "type": "touchEnd", "touchPoints": [] }));
    }

    /// Presses a key, such as `Tab` or `ArrowRight`.
    pub fn press(&mut self, key: &str) {
        for kind in ["rawKeyDown", "keyUp"] {
            let code = match key {
                "Tab" => 9,
                "Enter" => 13,
                "ArrowLeft" => 37,
                "ArrowUp" => 38,
                "ArrowRight" => 39,
                "ArrowDown" => 40,
                _ => 0,
            };
            let mut event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            // What activates a button is the character, not the key.
            if (kind, key) == ("rawKeyDown", "Enter") {
                (event["type"], event["text"]) = ("keyDown".into(), "\r".into());
            }
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// What a screen reader is given: the role and the name of everything on the page that is not hidden from it.
    pub fn heard(&mut self) -> Vec<(String, String)> {
        let tree = self.call("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().cloned().unwrap_or_default();
        let heard = nodes.iter().filter(|node| node["ignored"] == false);
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
        heard.map(|node| (text(&node["role"]), text(&node["name"]))).collect()
    }

    /// The number of pages that the page takes on paper.
    pub fn print(&mut self) -> usize {
        let printed = self.call("Page.printToPDF", &json!({ "printBackground": false }));
        printed["data"].as_str().map_or(0, str::len)
    }

    /// All that the console has said so far: errors and warnings of the page, and what it was refused.
    pub fn console(&mut self) -> Vec<String> {
        // What was said before is told before this is answered.
        self.eval("0");
        std::mem::take(&mut self.console)
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&message).unwrap();
        bytes.push(0);
        let written = self.input.write_all(&bytes).and_then(|()| self.input.flush());
        assert!(
            written.is_ok(),
            "chromium has gone, or is not there; `./quickstart test` installs it:\n{}",
            self.log()
        );
        loop {
            let answer = self.next();
            if answer["id"] == self.last {
                assert_eq!(answer.get("error"), None, "{method}");
                return answer["result"].clone();
            }
        }
    }

    fn until(&mut self, event: &str) {
        while self.next()["method"] != event {}
    }

    fn next(&mut self) -> Value {
        let message = self.said.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            panic!("chromium says nothing ({error}); is it there? `./quickstart test` installs it:\n{}", self.log())
        });
        if let Some("Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded") =
            message["method"].as_str()
        {
            self.console.push(message["params"].to_string());
        }
        message
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.profile.path().join("chromium.log")).unwrap_or_default()
    }
}

impl Drop for Browser {
    /// Lets it end all its processes, which would go on to write into the folder that is removed then.
    fn drop(&mut self) {
        let closed =
            self.input.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0").and_then(|()| self.input.flush());
        // Its end of the pipe is closed by the last process that has it.
        while closed.is_ok() && self.said.recv_timeout(PATIENCE).is_ok() {}
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
