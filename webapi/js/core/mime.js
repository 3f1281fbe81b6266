// MIME types of the MIME Sniffing standard: what a Content-Type header says.

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const QUOTED_OK = /^[\t\x20-\x7e\x80-\xff]*$/;

// parseType returns { essence, parameters: Map }, or null where text is no MIME type.
export function parseType(text) {
  text = trim(text);
  const end = text.indexOf(";");
  const essence = trim(end < 0 ? text : text.slice(0, end));
  const slash = essence.indexOf("/");
  if (slash < 0 || !TOKEN.test(essence.slice(0, slash)) || !TOKEN.test(essence.slice(slash + 1))) return null;
  const parameters = new Map();
  let i = end < 0 ? text.length : end + 1;
  while (i < text.length) {
    while (i < text.length && isSpace(text[i])) i++;
    let start = i;
    while (i < text.length && text[i] !== ";" && text[i] !== "=") i++;
    const name = text.slice(start, i).toLowerCase();
    if (i >= text.length) break;
    if (text[i++] === ";") continue;
    let value;
    if (text[i] === '"') {
      [value, i] = quotedString(text, i);
      while (i < text.length && text[i] !== ";") i++;
    } else {
      start = i;
      while (i < text.length && text[i] !== ";") i++;
      value = trim(text.slice(start, i));
      if (value === "") {
        i++;
        continue;
      }
    }
    i++;
    if (TOKEN.test(name) && QUOTED_OK.test(value) && !parameters.has(name)) parameters.set(name, value);
  }
  return { essence: essence.toLowerCase(), parameters };
}

// contentType is the type that a header list's Content-Type values say together, or null.
export function contentType(list) {
  const header = list.get("content-type");
  if (header === null) return null;
  if (header.indexOf(",") < 0) return parseType(header);
  let found = null;
  let charset;
  for (const value of splitValues(header)) {
    const type = parseType(value);
    if (type === null || type.essence === "*/*") continue;
    if (found?.essence !== type.essence) charset = type.parameters.get("charset");
    else if (!type.parameters.has("charset") && charset !== undefined) type.parameters.set("charset", charset);
    found = type;
  }
  return found;
}

export function serializeType({ essence, parameters }) {
  let text = essence;
  for (const [name, value] of parameters) {
    text += `;${name}=${TOKEN.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`}`;
  }
  return text;
}

// splitValues cuts a combined header at the commas that aren't in quotes.
function splitValues(header) {
  const values = [];
  let start = 0;
  for (let i = 0; i < header.length; i++) {
    if (header[i] === '"') i = quotedString(header, i)[1] - 1;
    else if (header[i] === ",") {
      values.push(header.slice(start, i));
      start = i + 1;
    }
  }
  values.push(header.slice(start));
  return values;
}

// quotedString reads from the opening quote at i: the value, and where it ends.
function quotedString(text, i) {
  let value = "";
  for (i++; i < text.length; i++) {
    if (text[i] === '"') return [value, i + 1];
    if (text[i] === "\\" && i + 1 < text.length) i++;
    value += text[i];
  }
  return [value, i];
}

function isSpace(c) {
  return c === " " || c === "\t" || c === "\n" || c === "\r";
}

// trim takes HTTP white space off both ends. Not a regular expression: /[ ]+$/ takes the square of a run's length.
export function trim(text) {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text[start])) start++;
  while (end > start && isSpace(text[end - 1])) end--;
  return text.slice(start, end);
}
