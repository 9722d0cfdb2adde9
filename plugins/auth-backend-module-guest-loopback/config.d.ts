export interface Config {
  auth?: {
    providers?: {
      /**
       * Guest sign-in. It works only for browsers on the backend's own machine
       * (loopback), whatever else is configured. Leave the section out, or set
       * it to null, to switch it off.
       * @visibility frontend
       */
      guest?: {
        /** Entity ref of the user that a guest becomes; must be in the catalog. Default: `user:default/guest`. */
        userEntityRef?: string;
      } | null;
    };
  };
}
