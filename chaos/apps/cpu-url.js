// Parses a URL that is a megabyte long, and its query, and a pattern on it.
export default {
  fetch() {
    const long = "https://a.example/" + "../a".repeat(100_000) + "?" + "a=%C3%A9&".repeat(100_000);
    for (;;) new URL(long).searchParams.sort();
  },
};
