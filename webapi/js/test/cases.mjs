// cases are programs that run in one context of the platform: each answers a value that is compared as JSON; an
// exception is its name. A program without a return is an expression.

import assert from "node:assert/strict";
import { test } from "node:test";
import { newContext } from "./harness.mjs";

const { run } = await newContext();

export function cases(name, table) {
  test(name, async (t) => {
    for (const [program, want] of table) {
      await t.test(program, async () => {
        const body = program.includes("return ") ? program : `return ${program}`;
        let got;
        try {
          got = JSON.parse(JSON.stringify((await run(`(async () => { ${body} })()`)) ?? null));
        } catch (error) {
          got = error.name;
        }
        assert.deepEqual(got, want);
      });
    }
  });
}
