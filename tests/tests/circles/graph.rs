//! Circles in a graph: the sets of nodes that all lead to each other.

use std::collections::BTreeSet;

/// For each node the nodes that it leads to.
pub(crate) type Graph = Vec<BTreeSet<usize>>;

/// The circles, each with its nodes in order. The graphs are small: reachability decides.
pub(crate) fn circles(graph: &Graph) -> Vec<Vec<usize>> {
    let reached: Vec<BTreeSet<usize>> = (0..graph.len()).map(|start| reachable(graph, start)).collect();
    let mut found: Vec<Vec<usize>> = Vec::new();
    for node in 0..graph.len() {
        if !reached[node].contains(&node) || found.iter().any(|circle| circle.contains(&node)) {
            continue;
        }
        let members = reached[node].iter().copied();
        found.push(members.filter(|other| reached[*other].contains(&node)).collect());
    }
    found
}

fn reachable(graph: &Graph, start: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut ahead: Vec<usize> = graph[start].iter().copied().collect();
    while let Some(node) = ahead.pop() {
        if reached.insert(node) {
            ahead.extend(&graph[node]);
        }
    }
    reached
}
