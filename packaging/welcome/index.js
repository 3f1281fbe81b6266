// The app that a fresh install serves: it tells what to do next, as plain text to
// curl and as a page to a browser.

const steps = [
  ["Write an app, /srv/hello/index.js:",
    `export default {
  fetch(request) {
    return new Response("Hello from " + new URL(request.url).hostname + "\\n");
  },
};`],
  ["Say which host it answers for, in /etc/nano/apps.d/hello.toml:",
    `[apps.hello]
hosts = ["hello.localhost"]
root  = "/srv/hello"`],
  ["Check the configuration and apply it; no connection is lost:",
    "nanod check && systemctl reload nano"],
  ["Ask for it, and see what runs:",
    `curl -H 'Host: hello.localhost' http://localhost/
nanod apps list`],
  ["Take this page away:",
    "rm /etc/nano/apps.d/welcome.toml && systemctl reload nano"],
];

const title = "NANO is running.";
const more = "The manual: man nanod, man nano.toml. The log: journalctl -u nano";

function text() {
  const parts = steps.map(([what, code], i) =>
    `${i + 1}. ${what}\n\n${code.replace(/^/gm, "     ")}\n`);
  return `${title} What to do next:\n\n${parts.join("\n")}\n${more}\n`;
}

function page() {
  const escape = (s) => s.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  const items = steps.map(([what, code]) =>
    `<li>${escape(what)}<pre>${escape(code)}</pre></li>`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem; }
  pre { background: #f3f3f0; padding: .75rem 1rem; overflow-x: auto; }
  @media (prefers-color-scheme: dark) { body { background: #16181a; color: #ddd; } pre { background: #24272a; } }
</style>
<h1>${title}</h1>
<p>What to do next:</p>
<ol>${items.join("\n")}</ol>
<p>${more}</p>
`;
}

export default {
  fetch(request) {
    const html = (request.headers.get("accept") ?? "").includes("text/html");
    return new Response(html ? page() : text(), {
      headers: {
        "content-type": html ? "text/html; charset=utf-8" : "text/plain; charset=utf-8",
        "cache-control": "no-store",
        vary: "accept",
      },
    });
  },
};
