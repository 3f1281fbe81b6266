import { native } from "../native.js";
import { structuredClone } from "./clone.js";
import { DOMException } from "./domexception.js";
import { EventTarget } from "./eventtarget.js";
import { dictionary, isObject, needArguments, shape } from "./idl.js";

const secret = Symbol("Performance");

// timelineSize is how many entries are kept: an app that only marks and never clears must not grow.
const timelineSize = 1000;

export class PerformanceEntry {
  #name;
  #type;
  #start;
  #duration;

  constructor(key, name, type, start, duration) {
    if (key !== secret) throw new TypeError("Illegal constructor");
    this.#name = name;
    this.#type = type;
    this.#start = start;
    this.#duration = duration;
  }

  get name() { return this.#name; }
  get entryType() { return this.#type; }
  get startTime() { return this.#start; }
  get duration() { return this.#duration; }

  toJSON() {
    const { name, entryType, startTime, duration } = this;
    return { name, entryType, startTime, duration };
  }
}

export class PerformanceMark extends PerformanceEntry {
  #detail;

  constructor(name, options = undefined) {
    needArguments(arguments, 1, "PerformanceMark", "constructor");
    const { detail, startTime } = dictionary(options, "PerformanceMark");
    const start = startTime === undefined ? native.now() : Number(startTime);
    if (start < 0) throw new TypeError("PerformanceMark: the start time is negative");
    super(secret, `${name}`, "mark", start, 0);
    this.#detail = detail === undefined || detail === null ? null : structuredClone(detail);
  }

  get detail() { return this.#detail; }
}

export class PerformanceMeasure extends PerformanceEntry {
  #detail;

  constructor(key, name, start, duration, detail) {
    super(key, name, "measure", start, duration);
    this.#detail = detail;
  }

  get detail() { return this.#detail; }
}

export class Performance extends EventTarget {
  #origin;
  #timeline = [];

  constructor(key) {
    if (key !== secret) throw new TypeError("Illegal constructor");
    super();
  }

  // Made when it is asked for: the object itself is older than the process.
  get timeOrigin() { return (this.#origin ??= Date.now() - native.now()); }

  now() {
    this.#origin;
    return native.now();
  }

  mark(name, options = undefined) {
    needArguments(arguments, 1, "Performance", "mark");
    return this.#add(new PerformanceMark(name, options));
  }

  measure(name, startOrOptions = undefined, endMark = undefined) {
    needArguments(arguments, 1, "Performance", "measure");
    name = `${name}`;
    const options = isObject(startOrOptions) ? startOrOptions : { start: startOrOptions, end: endMark };
    const { detail = null, duration } = options;
    if (isObject(startOrOptions)) {
      const given = [options.start, options.end, duration].filter((value) => value !== undefined).length;
      if (endMark !== undefined || given === 3 || (given === 0 && detail !== null) || (given === 1 && duration !== undefined)) {
        throw new TypeError("Performance.measure: the options contradict each other");
      }
    }
    let { start, end } = options;
    if (end !== undefined) end = this.#time(end);
    else if (start !== undefined && duration !== undefined) end = this.#time(start) + Number(duration);
    else end = native.now();
    if (start !== undefined) start = this.#time(start);
    else start = duration === undefined ? 0 : end - Number(duration);
    const copy = detail === null ? null : structuredClone(detail);
    return this.#add(new PerformanceMeasure(secret, name, start, end - start, copy));
  }

  clearMarks(name = undefined) { this.#clear("mark", name); }
  clearMeasures(name = undefined) { this.#clear("measure", name); }

  getEntries() { return this.#sorted(() => true); }

  getEntriesByType(type) {
    needArguments(arguments, 1, "Performance", "getEntriesByType");
    return this.#sorted((entry) => entry.entryType === `${type}`);
  }

  getEntriesByName(name, type = undefined) {
    needArguments(arguments, 1, "Performance", "getEntriesByName");
    return this.#sorted((entry) => entry.name === `${name}` && (type === undefined || entry.entryType === `${type}`));
  }

  toJSON() { return { timeOrigin: this.timeOrigin }; }

  #add(entry) {
    if (this.#timeline.length >= timelineSize) this.#timeline.shift();
    this.#timeline.push(entry);
    return entry;
  }

  #clear(type, name) {
    this.#timeline = this.#timeline.filter((entry) => entry.entryType !== type || (name !== undefined && entry.name !== `${name}`));
  }

  #sorted(wanted) {
    return this.#timeline.filter(wanted).sort((a, b) => a.startTime - b.startTime);
  }

  // time is when a mark was, or the time that was given.
  #time(mark) {
    if (typeof mark === "number") {
      if (mark < 0) throw new TypeError("Performance.measure: a time is negative");
      return mark;
    }
    const found = this.#timeline.findLast((entry) => entry.entryType === "mark" && entry.name === `${mark}`);
    if (found === undefined) throw new DOMException(`there is no mark "${mark}"`, "SyntaxError");
    return found.startTime;
  }
}

for (const Class of [PerformanceEntry, PerformanceMark, PerformanceMeasure, Performance]) shape(Class);

export const performance = new Performance(secret);
