// Looks for doors to the machine: require, process, Deno, Bun, file URLs, imports at run time.
const doors = ["require", "Deno", "Bun", "__filename", "module", "load", "read", "print", "d8", "gc", "native", "post", "nano", "Worker"];
export default {
  async fetch() {
    const open = doors.filter((name) => name in globalThis);
    for (const name of ["node:fs", "fs", "file:///etc/passwd", "/etc/passwd", "data:text/javascript,export default 1", "app:victim", "nano:prelude"]) {
      try {
        const where = name;
        await import(where);
        open.push("import " + name);
      } catch {}
    }
    for (const url of ["file:///etc/passwd", "data:text/plain,x", "unix:/run/nano/admin.sock", "nano:status"]) {
      try {
        const r = await fetch(url);
        if (r.ok && !url.startsWith("data:")) open.push("fetch " + url);
      } catch {}
    }
    return new Response(open.length ? "escaped " + open : "held");
  },
};
