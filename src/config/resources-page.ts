// SPDX-License-Identifier: Apache-2.0
/**
 * The reference page of the resources, from the kinds' own shapes (`make docs` writes
 * docs/resources.md; a test compares the two).
 */
import { kinds } from './kind-table.ts';
import type { Kind } from './kinds/kind.ts';
import type { Field, Fields, Shape } from './schema/shape.ts';

const preface = `# Resources

The configuration is a file, or a folder of \`*.yaml\` and \`*.yml\` files, each with any number of
documents. \`egret check PATH\` prints everything that is wrong with it. Every document has
\`apiVersion\`, \`kind\` and \`metadata\` (\`name\`, \`namespace\`, \`labels\`, \`annotations\`); a \`List\`
stands for its items. What a cluster adds (\`status\`, \`uid\`, \`managedFields\` and the like) is
accepted. An unknown field is an error; an optional text that is empty is absent.

This page is generated from the shapes in \`src/config/kinds\`.
`;

export function resourcesPage(): string {
  return [preface, ...kinds.map(kindSection), clientSection].join('\n');
}

function kindSection(kind: Kind<Fields>): string {
  const scope = kind.isNamespaced ? 'In a namespace' : 'Without namespace';
  const versions = kind.apiVersions.map((version) => `\`${version}\``).join(' or ');
  const rows: string[] = [];
  const ignoredNames: string[] = [];
  addRows('', kind.fields, rows, ignoredNames);
  const table =
    rows.length === 0
      ? []
      : ['| field | value | default | meaning |', '|---|---|---|---|', ...rows, ''];
  const ignored =
    ignoredNames.length === 0 ? [] : [`Accepted without effect: ${ignoredNames.join(', ')}.`, ''];
  return [
    `## ${kind.kind}`,
    '',
    `${kind.says} ${scope}; ${versions}.`,
    '',
    ...table,
    ...ignored,
  ].join('\n');
}

function addRows(path: string, fields: Fields, rows: string[], ignoredNames: string[]): void {
  for (const [name, field] of Object.entries(fields) as [string, Field<unknown>][]) {
    const fieldPath = path === '' ? name : `${path}.${name}`;
    if (field.ignored !== undefined) {
      if (field.ignored === 'note') ignoredNames.push(`\`${fieldPath}\``);
      continue;
    }
    const inner = innerFields(field.shape);
    if (inner === undefined) {
      const cells = [`\`${fieldPath}\``, field.shape.says, defaultCell(field), field.help];
      rows.push(`| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`);
    } else {
      if (field.isRequired) {
        rows.push(
          `| \`${fieldPath}\` | ${field.shape.item ? 'list' : 'mapping'} | required | ${field.help} |`,
        );
      }
      addRows(field.shape.item ? `${fieldPath}[]` : fieldPath, inner, rows, ignoredNames);
    }
  }
}

function innerFields(shape: Shape<unknown>): Fields | undefined {
  return shape.fields ?? shape.item?.fields;
}

function defaultCell(field: Field<unknown>): string {
  if (field.isRequired) return 'required';
  return field.defaultText === undefined ? '' : `\`${field.defaultText}\``;
}

const clientSection = `## Annotations of clients

On a Namespace, Pod, NetworkSet or GlobalNetworkSet. With \`egressIPSupport: EnabledPerNamespace\` only
those of the Namespace count; with \`EnabledPerNamespaceOrPerPod\` the object's own come first.

The client with the longest prefix is asked, and no other: a Pod without annotation inside a net of a
GlobalNetworkSet uses no gateway, and its packets drop as \`not_a_client\`.

| annotation | value | meaning |
|---|---|---|
| \`egress.projectcalico.org/selector\` | a selector | Labels of gateways; alone it means those of the same namespace |
| \`egress.projectcalico.org/namespaceSelector\` | a selector | Labels of the gateways' namespaces; each has \`projectcalico.org/name\` |
| \`egress.projectcalico.org/egressGatewayPolicy\` | a name | The policy that decides; while it does not exist its clients are blocked |
| \`egress.projectcalico.org/maxNextHops\` | a number in quotes | A client uses at most so many addresses; \`"0"\`: all |

## Selectors

| form | true when the label |
|---|---|
| \`all()\`, or nothing | always |
| \`has(LABEL)\` | is there |
| \`LABEL == 'TEXT'\`, \`LABEL != 'TEXT'\` | has this value; has another or is missing |
| \`LABEL in {'A', 'B'}\`, \`LABEL not in {'A'}\` | has one of the values; has none of them or is missing |
| \`LABEL contains 'TEXT'\`, \`starts with\`, \`ends with\` | has such a value |
| \`!S\`, \`S && S\`, \`S \\|\\| S\`, \`(S)\` | in this order of precedence |
| \`global()\` | always; never for a namespace |
`;
