// Opens ten thousand fetches and reads none of the answers.
export default {
  fetch() {
    for (let n = 0; n < 10_000; n++) fetch(`http://192.0.2.1:9/${n}`).catch(() => {});
    return new Response("answered");
  },
};
