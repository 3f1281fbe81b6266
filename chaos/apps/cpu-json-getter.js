// Is serialised by a toJSON that returns itself anew, for ever.
export default {
  fetch() {
    return Response.json({ toJSON: () => { for (;;); } });
  },
};
