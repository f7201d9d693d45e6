/*
 * dom.js - makes the document what a view says. A view is a tree of h(); what
 * has not changed since the last time is not touched, so that focus, selection
 * and what a reader has opened stay, and a second's redraw is cheap.
 *
 * Strings become text nodes and attribute values, never markup.
 */
const SVG = "http://www.w3.org/2000/svg";
const said = new WeakMap();  /* node -> what it shows */
const roots = new WeakMap(); /* likewise, of those that show() was told */

/*
 * An element. attrs: strings and numbers as they are, true as an empty one,
 * false and null for none; `key` tells it from its siblings; with `apart` its
 * children are left to another show(). Of the children null and false are left
 * out.
 */
export function h(tag, attrs, ...children)
{
	return {
		tag,
		attrs: attrs || {},
		children: children.flat(Infinity)
			      .filter((c) => c !== null && c !== undefined &&
				      c !== false)
			      .map((c) => typeof c === "object" ? c : String(c))
	};
}

function make(view, in_svg)
{
	if (typeof view === "string")
		return document.createTextNode(view);
	const node = in_svg || view.tag === "svg" ?
	    document.createElementNS(SVG, view.tag) :
	    document.createElement(view.tag);

	said.set(node, {tag: view.tag, attrs: {}, children: []});
	renew(node, view);
	return node;
}

function is_none(value)
{
	return value === null || value === undefined || value === false;
}

function renew_attrs(node, was, now)
{
	for (const name of Object.keys(was))
		if (is_none(now[name]))
			node.removeAttribute(name);
	for (const [name, value] of Object.entries(now))
		if (name !== "key" && name !== "apart" && !is_none(value) &&
		    was[name] !== value)
			node.setAttribute(name, value === true ? "" : value);
}

function renew(node, view)
{
	const was = said.get(node);

	if (was === view)
		return;
	renew_attrs(node, was.attrs, view.attrs);
	said.set(node, view);
	if (!view.attrs.apart)
		renew_children(node, was.children, view.children,
		    node.namespaceURI === SVG);
}

function key_of(view)
{
	return typeof view === "object" ? view.attrs.key : undefined;
}

function is_like(node, was, view)
{
	if (node === undefined)
		return false;
	return typeof view === "string" ? typeof was === "string" :
					  typeof was === "object" &&
		was.tag === view.tag && was.attrs.key === view.attrs.key;
}

/* The nodes of `now`, in its order: kept ones where they are alike. */
function nodes_of(parent, was, now, in_svg)
{
	const nodes = Array.from(parent.childNodes);
	const keyed = new Map();
	const kept = new Set();

	was.forEach((view, i) => {
		if (key_of(view) !== undefined)
			keyed.set(key_of(view), i);
	});
	for (const [i, view] of now.entries()) {
		const key = key_of(view);
		const from = key === undefined ? i : keyed.get(key);
		let node = from === undefined ? undefined : nodes[from];

		if (kept.has(node) || !is_like(node, was[from], view))
			node = make(view, in_svg);
		else if (typeof view === "object")
			renew(node, view);
		else if (node.data !== view)
			node.data = view;
		kept.add(node);
	}
	return kept;
}

function renew_children(parent, was, now, in_svg)
{
	const wanted = nodes_of(parent, was, now, in_svg);

	for (const node of Array.from(parent.childNodes))
		if (!wanted.has(node))
			node.remove();
	let at = parent.firstChild;
	for (const node of wanted) {
		/* Who has gone back is moved, and not all that it passes. */
		if (at !== null && at.nextSibling === node)
			at = node;
		if (at === node)
			at = node.nextSibling;
		else
			parent.insertBefore(node, at);
	}
}

/* Makes `views` the children of `parent`, which are nobody else's to change. */
export function show(parent, views)
{
	const was = roots.get(parent);
	const now = h("", null, views);

	if (was === undefined)
		parent.replaceChildren(); /* what stood there for want of us */
	roots.set(parent, now);
	renew_children(parent, was ? was.children : [], now.children,
	    parent.namespaceURI === SVG);
}
