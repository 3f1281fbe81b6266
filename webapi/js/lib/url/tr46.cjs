"use strict";

// tr46's tables are only evaluated when a host needs them.
exports.toASCII = (...args) => require("tr46").toASCII(...args);
exports.toUnicode = (...args) => require("tr46").toUnicode(...args);
