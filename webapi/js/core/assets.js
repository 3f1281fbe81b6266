// env.ASSETS: the app's own static files, as Workers have them.
import { needArguments, shape } from "../lib/idl.js";
import { fetchAsset } from "./fetch.js";

class Fetcher {
  // fetch asks for the file that the path of a URL means; whose URL it is makes no difference. What no file matches is
  // answered as the app's settings say.
  fetch(input, init = undefined) {
    return new Promise((resolve, reject) => {
      needArguments(arguments, 1, "Fetcher", "fetch");
      fetchAsset(input, init, resolve, reject);
    });
  }
}

export const assets = new (shape(Fetcher))();
