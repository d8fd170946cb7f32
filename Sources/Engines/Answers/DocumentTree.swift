/// The names that a `DocumentShape` asks for, as a tree: which node a key leads to is looked up level by level.
struct DocumentTree: Sendable {
    struct Node: Sendable {
        var children: [(name: [UInt8], node: Int)] = []
        /// The part that ends here.
        var part: Int?
    }

    private(set) var nodes = [Node()]
    /// The longest name; longer keys are none of ours.
    private(set) var nameBytesMax = 0

    init(_ parts: [DocumentShape.Part]) {
        for (index, part) in parts.enumerated() {
            var node = 0
            for name in part.path.description.utf8.split(separator: UInt8(ascii: ".")) {
                node = child(Array(name), of: node)
            }
            nodes[node].part = index
        }
    }

    private mutating func child(_ name: [UInt8], of node: Int) -> Int {
        if let known = nodes[node].children.first(where: { $0.name == name }) { return known.node }
        nodes.append(Node())
        nodes[node].children.append((name, nodes.count - 1))
        nameBytesMax = max(nameBytesMax, name.count)
        return nodes.count - 1
    }

    /// Where `key` leads from `node`; nil when nothing is wanted there.
    func node(after key: [UInt8], from node: Int) -> Int? {
        nodes[node].children.first { $0.name.count == key.count && $0.name.elementsEqual(key) }?.node
    }
}
