// Takes request bodies and neither reads nor refuses them.
const kept = [];
export default {
  fetch(request) {
    kept.push(request);
    return new Promise(() => {});
  },
};
