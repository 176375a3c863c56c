"""The words of reports, in English and Chinese."""

TEXT: dict[str, dict[str, str]] = {
    "en": {
        "title": "Emotion recognition study",
        "limits": (
            "Emotion recognition errs, differs by culture and person, and must not decide "
            "about people. A score holds for this corpus and protocol, not for everyday speech."
        ),
        "corpus": "Corpus",
        "clips": "clips",
        "speakers": "speakers",
        "terms": "Terms",
        "notes": "Notes",
        "scores": "Scores",
        "scores_note": (
            "Mean ± standard deviation over seeds; in brackets 95 % intervals by bootstrap over "
            "speakers. WA accuracy, UAR mean recall, MAP macro average precision."
        ),
        "system": "system",
        "majority": "always the most frequent class (WA)",
        "chance": "guessing (UAR)",
        "seeds": "seeds",
        "tests": "Which differences hold",
        "tests_note": (
            "Paired permutation test of the pooled UAR: all predictions for a speaker change "
            "sides together. Corrected by Holm for the number of pairs; below 0.05 in bold."
        ),
        "floor": (
            "With {speakers} speakers no p can lie below {least:.4f}, and none corrected for "
            "{pairs} pairs below {corrected:.3f}, however large the difference: compare fewer "
            "systems."
        ),
        "pair": "systems",
        "difference": "difference in UAR",
        "corrected": "p corrected",
        "confusion": "Confusion matrix, folds and seeds pooled",
        "by_class": "By class",
        "by_speaker": "By speaker",
        "by_gender": "By gender",
        "class": "class",
        "recall": "recall",
        "precision": "precision",
        "speaker": "speaker",
        "gender": "gender",
        "curves": "Learning curves: training loss, validation loss and validation UAR of each fold",
        "balance": "Balance of the training part of the first fold",
        "protocol": "Protocol",
        "settings": "Settings and versions",
        "interval": "95 %",
    },
    "zh": {
        "title": "语音情感识别研究报告",
        "limits": (
            "情感识别会出错，因文化和个人而异，不得据此对人作出决定。分数只适用于该语料库和该评估协议，"
            "不代表日常语音。"
        ),
        "corpus": "语料库",
        "clips": "条语音",
        "speakers": "位说话人",
        "terms": "使用条款",
        "notes": "说明",
        "scores": "分数",
        "scores_note": (
            "各随机种子的均值 ± 标准差；方括号内为按说话人自助重采样得到的 95 % 置信区间。"
            "WA 为准确率，UAR 为未加权平均召回率，MAP 为宏平均精确率。"
        ),
        "system": "系统",
        "majority": "始终预测多数类（WA）",
        "chance": "随机猜测（UAR）",
        "seeds": "种子数",
        "tests": "哪些差异成立",
        "tests_note": (
            "对合并 UAR 的配对置换检验：同一说话人的全部预测一起交换。"
            "按系统对的数目作 Holm 校正；小于 0.05 的以粗体显示。"
        ),
        "floor": (
            "只有 {speakers} 位说话人时，无论差异多大，p 值都不会低于 {least:.4f}，"
            "按 {pairs} 对校正后不会低于 {corrected:.3f}：请减少参与比较的系统。"
        ),
        "pair": "系统对",
        "difference": "UAR 之差",
        "corrected": "校正后的 p",
        "confusion": "混淆矩阵（合并各折与各种子）",
        "by_class": "按类别",
        "by_speaker": "按说话人",
        "by_gender": "按性别",
        "class": "类别",
        "recall": "召回率",
        "precision": "精确率",
        "speaker": "说话人",
        "gender": "性别",
        "curves": "学习曲线：各折的训练损失、验证损失和验证 UAR",
        "balance": "第一折训练部分的数据平衡",
        "protocol": "评估协议",
        "settings": "设置与版本",
        "interval": "95 %",
    },
}
