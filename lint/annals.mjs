// Rules of this house that the linter does not know.

/** What a room version is called where it is held in a variable or a property. */
const NAMES = /^(room_?version|room_version_id)$/i;
const COMPARISONS = new Set(['==', '===', '!=', '!==', '<', '<=', '>', '>=']);

function nameOf(node) {
  if (node.type === 'Identifier') return node.name;
  if (node.type === 'MemberExpression') {
    const property = node.computed ? node.property.value : node.property.name;
    // `roomVersion.id`, `version.id`
    return property === 'id' && /version$/i.test(nameOf(node.object)) ? 'roomVersion' : String(property);
  }
  return '';
}

const isVersion = (node) => NAMES.test(nameOf(node));
const isNumber = (node) => node.type === 'Literal' && /^\d+$/.test(String(node.value));

/** What differs by room version is data in the table of room versions: nothing else asks which version it is. */
const noRoomVersionComparison = {
  create(context) {
    const report = (node) =>
      context.report({ node, message: 'Room versions are not compared: ask the table of room versions for the flag.' });
    return {
      BinaryExpression(node) {
        if (!COMPARISONS.has(node.operator)) return;
        const { left, right } = node;
        if ((isVersion(left) && isNumber(right)) || (isNumber(left) && isVersion(right))) report(node);
      },
      SwitchStatement(node) {
        if (isVersion(node.discriminant) && node.cases.some(({ test }) => test !== null && isNumber(test)))
          report(node);
      },
      CallExpression({ callee, arguments: [argument] }) {
        if (callee.type !== 'MemberExpression' || argument === undefined || !isVersion(argument)) return;
        if (callee.property.name === 'includes' && callee.object.type === 'ArrayExpression') report(callee);
      },
    };
  },
};

export default { meta: { name: 'annals' }, rules: { 'no-room-version-comparison': noRoomVersionComparison } };
