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

/** What a position is called where it is held in a variable or a property. */
const POSITION = /^(position|head|after|up_?to)$|position$/i;
const CONVERSIONS = new Set(['Number', 'BigInt', 'parseInt', 'parseFloat']);

function lastName(node) {
  if (node.type === 'Identifier') return node.name;
  if (node.type === 'MemberExpression' && !node.computed) return node.property.name;
  return '';
}

/** Positions are compared and nothing else: only the log's adapters know what lies between two of them. */
const noPositionArithmetic = {
  create(context) {
    const report = (node) =>
      context.report({ node, message: 'Positions are no numbers: ask the log (`distance`), or name a `Place`.' });
    return {
      CallExpression(node) {
        const { callee, arguments: given } = node;
        const isPosition = given[0] !== undefined && POSITION.test(lastName(given[0]));
        if (CONVERSIONS.has(lastName(callee)) && isPosition) report(node);
      },
      UnaryExpression(node) {
        if (node.operator === '+' && POSITION.test(lastName(node.argument))) report(node);
      },
      ImportDeclaration(node) {
        if (/counted-position|commit-position/.test(node.source.value)) report(node);
      },
    };
  },
};

export default {
  meta: { name: 'annals' },
  rules: {
    'no-room-version-comparison': noRoomVersionComparison,
    'no-position-arithmetic': noPositionArithmetic,
  },
};
