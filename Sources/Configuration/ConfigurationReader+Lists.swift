import Yams

extension ConfigurationSection {
    /// The values of a key that holds a list of single values: from a flag, else the environment (both separated by commas), else the
    /// file. Empty where nothing gives any. Each list given is checked, also one that another overrides.
    func values<Value>(
        _ key: String, _ type: ValueType<Value>, environment variable: String? = nil, flag: String? = nil
    ) -> [Located<Value>] {
        record(key, typeName: "list of \(type.name)s", environment: variable, flag: flag)
        var found = valuesOfFile(key, type)
        for (text, origin) in overrides(environment: variable, flag: flag) {
            found = text.split(separator: ",").map { $0.drop { $0 == " " } }.compactMap { item in
                parse(RawScalar(text: String(item), isPlain: true), key: key, type, origin: origin)
            }
        }
        return found
    }

    private func valuesOfFile<Value>(_ key: String, _ type: ValueType<Value>) -> [Located<Value>] {
        guard let entry = entry(key) else { return [] }
        guard case .sequence(let nodes) = entry.value else {
            if case .scalar(let scalar) = entry.value, RawScalar(scalar).isNull { return [] }
            reportNoList(entry.value, key: key, at: entry.origin)
            return []
        }
        return nodes.enumerated().compactMap { index, node in
            parse(node, key: "\(key)[\(index)]", type, origin: originOfElement(node))
        }
    }
}
