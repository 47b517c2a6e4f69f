/** Whether this is Node 22 or later: client libraries in JavaScript need it. Their suites are skipped, and say so, where it is older. */
export const NODE_22 = Number(process.versions.node.split('.')[0]) >= 22;
