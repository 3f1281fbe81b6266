// The URLs that nearly every program uses, plain http and https in ASCII as the parser would write them: they are
// recognised by one regular expression and cut up by looking for "/", "?" and "#". Everything else is the parser's.

// A label of a host that means itself: lower case, not Punycode. The last one starts with a letter, so that the host
// is not an IPv4 address in one of its disguises.
const label = "(?!xn--)[a-z0-9_-]+";
const host = `(?:${label}\\.)*(?!xn--)[a-z_][a-z0-9_-]*`;
const byte = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const address = `${byte}(?:\\.${byte}){3}`;
const port = "(?::[1-9]\\d{0,4})?";
// A segment of a path that is not "." or "..", plainly or as %2e.
const segment = "/(?!(?:\\.|%2[eE]){1,2}(?:[/?#]|$))[!$-.0-;=@-[\\]_a-z|~]*";
const query = "(?:\\?[!$-&(-;=?-~]*)?";
const fragment = "(?:#[!#-;=?-_a-~]*)?";

const absolute = new RegExp(`^https?://(?:${host}|${address})${port}(?:(?:${segment})+${query}${fragment})?$`);
const path = new RegExp(`^(?:${segment})+$`);
const search = new RegExp(`^${query}$`);
const hash = new RegExp(`^${fragment}$`);
const relative = /^[\w~%-][^:]*$|^[?#]/;

// plainHref returns input as the parser would write it, or undefined where that takes the parser.
export function plainHref(input) {
  if (!absolute.test(input)) return undefined;
  const start = hostStart(input);
  let slash = input.indexOf("/", start);
  if (slash < 0) {
    slash = input.length;
    input += "/";
  }
  const colon = input.indexOf(":", start);
  if (colon >= 0 && colon < slash) {
    const number = Number(input.slice(colon + 1, slash));
    if (number > 65535 || number === (start === 7 ? 80 : 443)) return undefined;
  }
  return input;
}

// hostStart is where the host of a plain URL starts: after http:// or https://.
export function hostStart(href) {
  return href.charCodeAt(4) === 0x3a ? 7 : 8;
}

export const isPlainPath = (string) => path.test(string);
export const isPlainSearch = (string) => search.test(string);
export const isPlainHash = (string) => hash.test(string);

// join puts a reference after what it keeps of a plain URL, whose path, query and fragment start as given; undefined
// where that takes the parser. Whether the result is plain is still to be seen.
export function join(href, pathStart, queryStart, hashStart, reference) {
  if (reference.startsWith("/")) {
    return reference.startsWith("//") || reference.startsWith("/\\") ? undefined : href.slice(0, pathStart) + reference;
  }
  if (reference === "") return href.slice(0, hashStart);
  if (!relative.test(reference)) return undefined;
  if (reference.startsWith("#")) return href.slice(0, hashStart) + reference;
  if (reference.startsWith("?")) return href.slice(0, queryStart) + reference;
  return href.slice(0, href.lastIndexOf("/", queryStart - 1) + 1) + reference;
}
