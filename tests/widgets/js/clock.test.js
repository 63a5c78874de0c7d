import assert from "node:assert/strict";
import { test } from "node:test";
import { clock, spoken } from "../../../nbaudio/widgets/static/clock.js";

test("a clock shows whole seconds that are over", () => {
  const shown = [0, 3, 3.999, 59.99, 60, 754, 3600, 3723.5].map(clock);
  assert.deepEqual(shown, ["0:00", "0:03", "0:03", "0:59", "1:00", "12:34", "1:00:00", "1:02:03"]);
});

test("a sum of tenths is not a second short, and nothing is before zero", () => {
  const sum = Array.from({ length: 10 }, () => 0.1).reduce((one, other) => one + other);
  assert.ok(sum < 1);
  assert.equal(clock(sum), "0:01");
  assert.equal(clock(-1), "0:00");
});

test("a screen reader says units, and leaves out those that are zero", () => {
  const said = [0, 1, 3.2, 65, 60, 3600, 7265].map(spoken);
  assert.deepEqual(said, [
    "0 seconds",
    "1 second",
    "3 seconds",
    "1 minute 5 seconds",
    "1 minute",
    "1 hour",
    "2 hours 1 minute 5 seconds",
  ]);
});
