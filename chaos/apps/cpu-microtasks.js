// Queues a microtask from each microtask.
export default {
  fetch() {
    const again = () => queueMicrotask(again);
    again();
    return new Response("never sent");
  },
};
