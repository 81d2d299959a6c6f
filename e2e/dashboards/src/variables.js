// The variables of a dashboard: their options, their values, and how Grafana and its
// Prometheus data source insert them into an expression.
import { instantQuery, labelValues } from './prometheus.js';

const all = '$__all';

// Escaped once for the regular expression and once for the string.
const escapeRegex = (text) => text.replace(/[\\^$*+?.()|[\]{}/]/g, '\\\\$&');

export class Variables {
  constructor(range) {
    this.range = range;
    this.byName = {};
  }

  // resolve queries the options of every variable, in order, and applies what the URL
  // selects, as var-NAME.
  async resolve(list, parameters) {
    for (const variable of list) {
      const options = await this.options(variable);
      const chosen = parameters.get(`var-${variable.name}`);
      this.byName[variable.name] = { ...variable, options, selected: select(variable, options, chosen) };
    }
  }

  async options(variable) {
    if (variable.type === 'custom') return variable.query.split(',').map((option) => option.trim().split(' : ').at(-1));
    if (variable.type === 'textbox' || variable.type === 'constant') return [variable.query];
    const query = this.fill(variable.query.query);
    const result = query.match(/^query_result\((.*)\)$/s);
    let options = result
      ? (await instantQuery(result[1], this.range)).result.map(seriesText)
      : await labelValues(query, this.range);
    const regex = variable.regex.match(/^\/(.*)\/(\w*)$/s);
    if (regex) options = [...new Set(options.map((option) => option.match(new RegExp(regex[1], regex[2]))?.[1]).filter((o) => o !== undefined))];
    if (variable.sort === 1) options.sort();
    if (variable.sort === 3) options.sort((a, b) => parseInt(a, 10) - parseInt(b, 10));
    return options;
  }

  // text returns the text that the variable's drop-down shows.
  text(name) {
    const { selected, type, query } = this.byName[name];
    if (selected === all) return 'All';
    const named = type === 'custom' && query.split(',').find((option) => option.endsWith(` : ${selected}`));
    return named ? named.split(' : ')[0].trim() : [].concat(selected).join(' + ');
  }

  // values are the selected values.
  values(name) {
    const { selected, options } = this.byName[name];
    return selected === all ? options : [].concat(selected);
  }

  // fill replaces the variables in a text. The scoped values come first.
  fill(text, scoped = {}) {
    return text?.replace(/\$\{(\w+)(?::(\w+))?\}|\$(\w+)/g, (found, braced, format, bare) => {
      const name = braced ?? bare;
      if (!(name in scoped) && !(name in this.byName)) return found;
      const values = name in scoped ? [scoped[name]] : this.values(name);
      switch (format) {
        case 'text': return name in scoped ? scoped[name] : this.text(name);
        case 'percentencode': return encodeURIComponent(values.join(','));
        case 'queryparam': return values.map((value) => `var-${name}=${encodeURIComponent(value)}`).join('&');
        case 'raw': return values.join(',');
      }
      return this.expression(name, values, scoped);
    });
  }

  expression(name, values, scoped) {
    const variable = this.byName[name];
    if (!variable) return values[0];
    if (!variable.multi && !variable.includeAll) return (values[0] ?? '').replace(/[\\"]/g, '\\$&');
    if (!(name in scoped) && variable.selected === all && variable.allValue) return variable.allValue;
    const escaped = values.map(escapeRegex);
    return escaped.length === 1 ? escaped[0] : `(${escaped.join('|')})`;
  }
}

// select returns the selected value of a variable, or all. A value that is not among
// the options becomes All or the first option; without options it is empty.
function select(variable, options, chosen) {
  const wanted = [].concat(chosen ?? variable.current?.value ?? []).flatMap((value) => (variable.multi ? value.split(',') : [value]));
  if (wanted.includes(all) || chosen === 'All') return all;
  const known = wanted.filter((value) => options.includes(value));
  if (known.length === 0) return variable.includeAll ? all : options[0] ?? '';
  return variable.multi ? known : known[0];
}

// seriesText is the text of a result, from which a variable's regex takes its option.
function seriesText({ metric, value }) {
  const { __name__: name = '', ...labels } = metric;
  return `${name}{${Object.entries(labels).map(([k, v]) => `${k}="${v}"`).join(',')}} ${value[1]} ${value[0] * 1000}`;
}
