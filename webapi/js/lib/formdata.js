import { createFile, isBlob, isFile, blobBytes } from "./blob.js";
import { iterable, needArguments, shape, usv } from "./idl.js";

// What the platform does with form data.
export let isFormData;
export let entriesOf; // (form): its [name, string or File] pairs, not to be changed
export let addEntry; // (form, name, string or File)

export class FormData {
  #entries = [];

  constructor(form = undefined) {
    if (form !== undefined) throw new TypeError("FormData: there are no HTML forms here");
  }

  append(name, value, filename = undefined) {
    needArguments(arguments, 2, "FormData", "append");
    this.#entries.push(entry(name, value, filename, arguments.length, "append"));
  }

  delete(name) {
    needArguments(arguments, 1, "FormData", "delete");
    name = usv(name);
    this.#entries = this.#entries.filter((entry) => entry[0] !== name);
  }

  get(name) {
    needArguments(arguments, 1, "FormData", "get");
    name = usv(name);
    const found = this.#entries.find((entry) => entry[0] === name);
    return found === undefined ? null : found[1];
  }

  getAll(name) {
    needArguments(arguments, 1, "FormData", "getAll");
    name = usv(name);
    return this.#entries.filter((entry) => entry[0] === name).map((entry) => entry[1]);
  }

  has(name) {
    needArguments(arguments, 1, "FormData", "has");
    name = usv(name);
    return this.#entries.some((entry) => entry[0] === name);
  }

  set(name, value, filename = undefined) {
    needArguments(arguments, 2, "FormData", "set");
    const set = entry(name, value, filename, arguments.length, "set");
    const first = this.#entries.findIndex((other) => other[0] === set[0]);
    if (first < 0) this.#entries.push(set);
    else this.#entries = this.#entries.flatMap((other, i) => (i === first ? [set] : other[0] === set[0] ? [] : [other]));
  }

  static {
    isFormData = (value) => typeof value === "object" && value !== null && #entries in value;
    entriesOf = (form) => form.#entries;
    addEntry = (form, name, value) => { form.#entries.push([name, value]); };
    iterable(FormData, "FormData", (data, index) => data.#entries[index]);
  }
}

// entry is the standard's "create an entry": a blob becomes a file.
function entry(name, value, filename, count, method) {
  name = usv(name);
  if (!isBlob(value)) {
    if (count > 2) throw new TypeError(`FormData.${method}: the value is not a Blob`);
    return [name, usv(value)];
  }
  if (filename !== undefined) filename = usv(filename);
  else if (isFile(value)) return [name, value];
  const lastModified = isFile(value) ? value.lastModified : Date.now();
  return [name, createFile(blobBytes(value), filename ?? "blob", value.type, lastModified)];
}

shape(FormData);
