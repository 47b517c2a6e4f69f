import fc from 'fast-check';

// Else what properties are tried with is about ten long, whatever `maxLength` says: what is longer goes untried, and nothing tells.
fc.configureGlobal({ defaultSizeToMaxWhenMaxSpecified: true });
