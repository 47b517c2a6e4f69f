// What the page of Hydrogen does: its package has all of the client, from the login to the settings, but not this.
import { createNavigation, createRouter, FeatureSet, Platform, RootViewModel } from 'hydrogen-view-sdk';

const platform = new Platform({
  container: document.body,
  assetPaths: {
    downloadSandbox: 'assets/download-sandbox.html',
    worker: 'assets/main.js',
    olm: { wasm: 'olm/olm.wasm', wasmBundle: 'olm/olm.js', legacyBundle: 'olm/olm_legacy.js' },
    serviceWorker: 'sw.js',
  },
  configURL: 'config.json',
});
const navigation = createNavigation();
platform.setNavigation(navigation);
await platform.init();
const urlRouter = createRouter({ navigation, history: platform.history });
urlRouter.attach();
const features = await FeatureSet.load(platform.settingsStorage);
const root = new RootViewModel({ platform, urlRouter, urlCreator: urlRouter, navigation, features });
await root.load();
platform.createAndMountRootView(root);
