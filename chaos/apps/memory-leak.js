// Leaks a little with each request, as careless code does.
const kept = [];
export default {
  fetch() {
    for (let n = 0; n < 300; n++) kept.push(Array.from({ length: 1000 }, (_, i) => ({ i })));
    return new Response(`kept ${kept.length}`);
  },
};
