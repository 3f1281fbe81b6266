// drawTable is console.table's drawing.
import { inspect } from "./inspect.js";

const MAX_ROWS = 200;

// drawTable answers undefined where data is nothing that has rows. Like inspect it runs none of the app's getters.
export function drawTable(data, columns) {
  const rows = rowsOf(data);
  if (rows === undefined) return undefined;
  const names = new Set();
  let hasValues = false;
  const cells = rows.slice(0, MAX_ROWS).map(([index, value]) => {
    const fields = rowsOf(value);
    if (fields === undefined) {
      hasValues = true;
      return { index, fields: new Map(), value: inspect(value, 0) };
    }
    for (const [name] of fields) names.add(name);
    return { index, fields: new Map(fields.map(([name, field]) => [name, inspect(field, 0)])), value: "" };
  });
  const shown = Array.isArray(columns) ? columns.map((name) => `${name}`) : [...names];
  const head = ["(index)", ...shown, ...(hasValues ? ["Values"] : [])];
  const lines = cells.map(({ index, fields, value }) => [
    index, ...shown.map((name) => fields.get(name) ?? ""), ...(hasValues ? [value] : []),
  ]);
  const text = draw(head, lines);
  return rows.length > MAX_ROWS ? `${text}\n… ${rows.length - MAX_ROWS} more rows` : text;
}

function rowsOf(value) {
  if (typeof value !== "object" || value === null) return undefined;
  if (value instanceof Map) return Array.from(value, ([key, item], i) => [`${i}`, { Key: key, Value: item }]);
  if (value instanceof Set) return Array.from(value, (item, i) => [`${i}`, item]);
  const rows = [];
  for (const key of Object.keys(value)) {
    const property = Object.getOwnPropertyDescriptor(value, key);
    rows.push([key, property !== undefined && "value" in property ? property.value : undefined]);
  }
  return rows;
}

function draw(head, lines) {
  const widths = head.map((_, column) => 2 + Math.max(...[head, ...lines].map((line) => line[column].length)));
  const rule = (left, middle, right) => left + widths.map((width) => "─".repeat(width)).join(middle) + right;
  const row = (cells) => `│${cells.map((cell, column) => ` ${cell}`.padEnd(widths[column])).join("│")}│`;
  const top = [rule("┌", "┬", "┐"), row(head), rule("├", "┼", "┤")];
  return [...top, ...lines.map(row), rule("└", "┴", "┘")].join("\n");
}
